//! Validates ID tokens of standard issuers (OpenID Connect Core 1.0 §3.1.3.7).

use crate::client::ClientRegistration;
use crate::clock;
use crate::error::Result;
use crate::login::significant_skew;
use crate::oauth::http::Http;
use crate::oauth::signature::{self, ALLOWED};
use crate::tokens::Secret;
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

/// Checks signature, issuer, audience and expiry. `skew` is the number of seconds that the server's clock is ahead.
///
/// # Errors
/// The reason why the token is not valid.
pub fn verify(
    token: &Secret<String>,
    client: &ClientRegistration,
    keys: &[Jwk],
    skew: Option<i64>,
) -> Result<(), String> {
    signature::install();
    let header = decode_header(token.expose()).map_err(|_| "it is not a signed JWT")?;
    if !ALLOWED.contains(&header.alg) {
        return Err(format!("it is signed with {:?}, which is not accepted", header.alg));
    }
    let mut validation = Validation::new(header.alg);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation.set_issuer(&[&client.issuer]);
    validation.set_audience(&[&client.client_id]);
    // `is_current` checks it by the server's clock.
    validation.validate_exp = false;
    let mut reason = "the issuer has no key for it".to_owned();
    for key in keys.iter().filter(|key| can_verify(key, header.kid.as_deref(), header.alg)) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Value>(token.expose(), &key, &validation) {
            Ok(decoded) => {
                return is_current(&decoded.claims, client, clock::now() + significant_skew(skew));
            }
            Err(error) => reason = reason_for(error.kind()),
        }
    }
    Err(reason)
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
    let has_several = claims["aud"].as_array().is_some_and(|audiences| audiences.len() > 1);
    let party = claims["azp"].as_str();
    if party.map_or(has_several, |party| party != client.client_id) {
        return Err("it is for another client (azp)".into());
    }
    match claims["exp"].as_f64() {
        #[expect(clippy::cast_precision_loss, reason = "exact for thousands of years")]
        Some(end) if end + LEEWAY as f64 > now as f64 => Ok(()),
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
