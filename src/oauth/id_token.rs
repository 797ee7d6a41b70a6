//! Validates ID tokens of standard issuers (OpenID Connect Core 1.0 §3.1.3.7).

use crate::account::numeric_date;
use crate::client::ClientRegistration;
use crate::clock;
use crate::error::Result;
use crate::login::significant_skew;
use crate::oauth::http::Http;
use crate::oauth::response::printable;
use crate::oauth::signature::{self, ALLOWED};
use crate::tokens::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// Tolerated clock difference, in seconds.
const LEEWAY: i64 = 60;

/// Gets the issuer's keys (RFC 7517 §5). Keys of unknown form are skipped. Returns `None` if the issuer publishes none at
/// `url`.
///
/// # Errors
/// `Network` or `Server` if `url` does not send a set of keys now.
pub fn keys(http: &Http, url: &str) -> Result<Option<Vec<Jwk>>> {
    let response = http.get(url)?;
    if response.is_refusal() {
        return Ok(None);
    }
    let document = response.json().filter(|_| response.status == 200);
    let document = document.ok_or_else(|| response.error(url))?;
    let keys = document["keys"].as_array();
    Ok(keys.map(|keys| {
        keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect()
    }))
}

/// Why an ID token is not accepted.
#[derive(Debug)]
pub enum IdTokenError {
    /// It may be valid: this program does not know its algorithm, or the issuer does not publish its key.
    Unverifiable(String),
    Invalid(String),
}

/// Returns the name of the algorithm in the header (RFC 7515 §4.1.1).
fn algorithm_name(token: &Secret<String>) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.expose().split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header["alg"].as_str().map(str::to_owned)
}

/// Checks signature, issuer, audience, expiry, and the nonce if one was sent. `skew` is the number of seconds that the
/// server's clock is ahead.
///
/// # Errors
/// Why the token is not valid, or cannot be checked.
pub fn verify(
    token: &Secret<String>,
    client: &ClientRegistration,
    keys: &[Jwk],
    skew: Option<i64>,
    nonce: Option<&str>,
) -> Result<(), IdTokenError> {
    use IdTokenError::{Invalid, Unverifiable};
    signature::install();
    let name = algorithm_name(token).ok_or_else(|| Invalid("it is not a signed JWT".into()))?;
    if !name.parse().is_ok_and(|algorithm| ALLOWED.contains(&algorithm)) {
        return Err(Unverifiable(match name.as_str() {
            "none" => "it is not signed".to_owned(),
            name => format!("it is signed with {}, which is not supported", printable(name)),
        }));
    }
    let header =
        decode_header(token.expose()).map_err(|_| Invalid("it is not a signed JWT".into()))?;
    let mut validation = Validation::new(header.alg);
    validation.set_required_spec_claims(&["iss", "sub", "aud"]);
    validation.set_issuer(&[&client.issuer]);
    validation.set_audience(&[&client.client_id]);
    // `is_current` checks it by the server's clock.
    validation.validate_exp = false;
    let mut error = Unverifiable("the issuer publishes no usable key for it".into());
    for key in keys.iter().filter(|key| can_verify(key, header.kid.as_deref(), header.alg)) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Value>(token.expose(), &key, &validation) {
            Ok(decoded) => {
                if nonce.is_some_and(|nonce| decoded.claims["nonce"] != nonce) {
                    return Err(Invalid("it is for another sign-in (nonce)".into()));
                }
                let now = clock::now() + significant_skew(skew);
                return is_current(&decoded.claims, client, now).map_err(Invalid);
            }
            Err(why) => error = Invalid(reason_for(why.kind())),
        }
    }
    Err(error)
}

fn can_verify(key: &Jwk, kid: Option<&str>, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let has_id = kid.is_none() || common.key_id.as_deref() == kid;
    let is_for_signatures = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
    let has_algorithm =
        common.key_algorithm.is_none_or(|name| name.to_string().parse() == Ok(algorithm));
    has_id && is_for_signatures && has_algorithm
}

fn is_current(claims: &Value, client: &ClientRegistration, now: i64) -> Result<(), String> {
    if claims["azp"].as_str().is_some_and(|party| party != client.client_id) {
        return Err("it is for another client (azp)".into());
    }
    match numeric_date(&claims["exp"]) {
        Some(end) if end.saturating_add(LEEWAY) > now => Ok(()),
        Some(_) => Err("it has expired".into()),
        None => Err("it has no expiry (exp)".into()),
    }
}

fn reason_for(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::InvalidSignature => "its signature is not the issuer's".into(),
        ErrorKind::InvalidIssuer => "it is from another issuer (iss)".into(),
        ErrorKind::InvalidAudience => "it is for another client (aud)".into(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no {claim}"),
        _ => "it is malformed".into(),
    }
}
