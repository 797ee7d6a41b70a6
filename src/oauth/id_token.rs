//! ID tokens of standard issuers (OpenID Connect Core 1.0, section 3.1.3.7): who signed in, in the issuer's own hand.

use crate::client::ClientRegistration;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::notable;
use crate::oauth::http::Http;
use crate::oauth::signature::{self, ALLOWED};
use crate::tokens::Secret;
use crate::urls::host;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// For clocks that are nearly right, in seconds.
const LEEWAY: i64 = 60;

/// The issuer's keys (RFC 7517). What is none that we could use is passed over.
pub fn keys(http: &Http, url: &str) -> Result<Vec<Jwk>> {
    let reply = http.get(url, None)?;
    let document = reply.json().filter(|_| reply.status == 200).ok_or_else(|| reply.error(url))?;
    let keys = document["keys"].as_array().ok_or_else(|| {
        Error::new(Kind::Server, format!("{} did not send a set of keys", host(url)))
    })?;
    Ok(keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect())
}

/// Checks signature, issuer, audience and end. `skew` is what the server's clock is ahead of ours.
///
/// # Errors
/// Why the token proves nothing.
pub fn verify(
    token: &Secret<String>,
    by: &ClientRegistration,
    keys: &[Jwk],
    skew: Option<i64>,
) -> Result<(), String> {
    signature::install();
    let header = decode_header(token.expose()).map_err(|_| "it is no signed JWT")?;
    if !ALLOWED.contains(&header.alg) {
        return Err(format!("it is signed by {:?}, which proves nothing", header.alg));
    }
    let mut validation = Validation::new(header.alg);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation.set_issuer(&[&by.issuer]);
    validation.set_audience(&[&by.client_id]);
    // By the server's clock, below.
    validation.validate_exp = false;
    let mut why = "no key of the issuer's is for it".to_owned();
    for key in keys.iter().filter(|key| is_for(key, header.kid.as_deref(), header.alg)) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Value>(token.expose(), &key, &validation) {
            Ok(decoded) => return is_current(&decoded.claims, by, clock::now() + notable(skew)),
            Err(error) => why = reason(error.kind()),
        }
    }
    Err(why)
}

fn is_for(key: &Jwk, kid: Option<&str>, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_named = kid.is_none() || common.key_id.as_deref() == kid;
    let signs = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
    let fits = common.key_algorithm.is_none_or(|of| of.to_string().parse() == Ok(algorithm));
    is_named && signs && fits
}

fn is_current(claims: &Value, by: &ClientRegistration, now: i64) -> Result<(), String> {
    let several = claims["aud"].as_array().is_some_and(|audiences| audiences.len() > 1);
    let party = claims["azp"].as_str();
    if party.map_or(several, |party| party != by.client_id) {
        return Err("it is for another client (azp)".into());
    }
    match claims["exp"].as_f64() {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand years from now")]
        Some(end) if end + LEEWAY as f64 > now as f64 => Ok(()),
        Some(_) => Err("it has expired".into()),
        None => Err("it has no end (exp)".into()),
    }
}

fn reason(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::InvalidSignature => "its signature is not the issuer's".into(),
        ErrorKind::InvalidIssuer => "it is by another issuer (iss)".into(),
        ErrorKind::InvalidAudience => "it is for another client (aud)".into(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no {claim}"),
        _ => "it is malformed".into(),
    }
}
