//! The device login in the dialect of auth.openai.com. It is like RFC 8628 in its steps and unlike it on the wire:
//! an approval brings an authorization code, which is exchanged for the tokens.

use crate::client::ClientRegistration;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::device::{AuthorizationCode, DeviceAuthorization, Poll, is_code};
use crate::oauth::http::{Http, Response};
use crate::oauth::response::number;
use crate::tokens::Secret;
use crate::urls::host;
use crate::verification::Verification;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long a device code lives where the answer does not say, in seconds.
const CODE_LIFETIME: i64 = 15 * 60;
/// Between two polls where the answer does not say, in seconds.
const INTERVAL: u64 = 5;

#[derive(Deserialize)]
struct Started {
    device_auth_id: Secret<String>,
    #[serde(alias = "usercode")]
    user_code: String,
    #[serde(default)]
    interval: Value,
    #[serde(default)]
    expires_in: Value,
}

/// Asks for a new user code.
///
/// # Errors
/// `DeviceLoginDisabled` when the server does not offer the device login to this client.
pub fn start(http: &Http, at: &ClientRegistration) -> Result<DeviceAuthorization> {
    let url = format!("{}/api/accounts/deviceauth/usercode", at.issuer);
    let reply = http.post_json(&url, &json!({ "client_id": at.client_id }))?;
    if !(200..300).contains(&reply.status) {
        return Err(not_started(&reply, &url));
    }
    let code: Started = serde_json::from_slice(&reply.body).map_err(|_| not_understood(&url))?;
    // It is shown on a terminal and in one-line errors.
    if !is_code(&code.user_code) || !code.user_code.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(not_understood(&url));
    }
    let expires_in = number(&code.expires_in).and_then(|seconds| i64::try_from(seconds).ok());
    let expires_in = expires_in.unwrap_or(CODE_LIFETIME).min(CODE_LIFETIME);
    Ok(DeviceAuthorization {
        issuer: at.issuer.clone(),
        client_id: at.client_id.clone(),
        device_code: code.device_auth_id,
        verification: Verification {
            reason: None,
            verification_uri: format!("{}/codex/device", at.issuer),
            verification_uri_complete: None,
            user_code: code.user_code,
            expires_at: clock::now() + expires_in,
        },
        interval: number(&code.interval).unwrap_or(INTERVAL),
        is_needed: true,
        approval: None,
    })
}

fn not_understood(url: &str) -> Error {
    Error::new(Kind::Server, format!("{} did not send a user code", host(url)))
        .hint("a proxy or a bot check may have answered in its place")
}

fn not_started(reply: &Response, url: &str) -> Error {
    match reply.status {
        403 | 404 if reply.is_to_the_request() => Error::new(
            Kind::DeviceLoginDisabled,
            format!("{} does not offer device code login here ({})", host(url), reply.status),
        )
        .hint(
            "enable device code login in ChatGPT under Settings, Security, or ask your workspace's \
             administrator to allow it",
        ),
        _ => reply.error(url),
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    device_auth_id: &'a Secret<String>,
    user_code: &'a str,
}

/// Asks once whether the login is approved.
pub fn poll(http: &Http, pending: &DeviceAuthorization) -> Poll {
    let url = format!("{}/api/accounts/deviceauth/token", pending.issuer);
    let body =
        Asked { device_auth_id: &pending.device_code, user_code: &pending.verification.user_code };
    let Ok(reply) = http.post_json(&url, &body) else { return Poll::Trouble };
    match (reply.status, reply.error_code().as_deref()) {
        (200..300, _) => match serde_json::from_slice::<AuthorizationCode>(&reply.body) {
            Ok(approval) => Poll::Approved(approval),
            Err(_) => Poll::Trouble,
        },
        (_, Some("access_denied" | "authorization_declined")) => Poll::Refused(
            Error::new(Kind::Denied, "the login was denied in the browser")
                .run("to try again", "codex-credential login"),
        ),
        (_, Some("expired_token" | "code_expired")) => Poll::Refused(expired()),
        (429, _) => Poll::TooFast(reply.retry_after),
        (300..400 | 500.., _) => Poll::Trouble,
        _ if !reply.is_to_the_request() => Poll::Trouble,
        (403 | 404, _) => Poll::DeviceAuthorization,
        _ => Poll::Refused(reply.error(&url)),
    }
}

/// The code's time ran out before anybody approved it.
pub fn expired() -> Error {
    Error::new(Kind::LoginExpired, "the device code expired before it was approved")
        .run("for a fresh one", "codex-credential login")
}
