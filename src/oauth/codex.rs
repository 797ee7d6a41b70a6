//! The dialect of auth.openai.com.
//!
//! Its device authorization has the steps of RFC 8628 and other messages: an approval yields an authorization code,
//! which is exchanged for the tokens. Refresh and revocation are RFC 6749 §6 and RFC 7009 with JSON bodies.

use crate::account_rules::AccountRules;
use crate::client::ClientRegistration;
use crate::clock;
use crate::device_authorization::{AuthorizationCode, DeviceAuthorization};
use crate::error::{Error, Kind, Result};
use crate::oauth::device::{PollResponse, denied, expired, is_user_code};
use crate::oauth::http::{Http, Response};
use crate::oauth::response::number;
use crate::oauth::token_endpoint::{TokenOutcome, TokenTypeHint};
use crate::tokens::Secret;
use crate::urls::host;
use crate::verification::Verification;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The lifetime of a device code if the response has none, and the longest we accept, in seconds.
const CODE_LIFETIME: i64 = 15 * 60;
/// Seconds between two polls if the response has no interval.
const INTERVAL: u64 = 5;

/// Error codes after which a refresh token is useless. Any other response or network failure leaves it valid.
const INVALID_REFRESH_TOKEN: [&str; 5] = [
    "refresh_token_reused",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "invalid_grant",
    "token_expired",
];

/// The counterpart of the device authorization response (RFC 8628 §3.2).
#[derive(Deserialize)]
struct UserCodeResponse {
    device_auth_id: Secret<String>,
    #[serde(alias = "usercode")]
    user_code: String,
    #[serde(default)]
    interval: Value,
    #[serde(default)]
    expires_in: Value,
}

/// Requests a user code.
///
/// # Errors
/// `DeviceLoginDisabled` if the server does not offer device code sign-in to this account.
pub fn start(http: &Http, client: &ClientRegistration) -> Result<DeviceAuthorization> {
    let url = format!("{}/api/accounts/deviceauth/usercode", client.issuer);
    let response = http.post_json(&url, &json!({ "client_id": client.client_id }))?;
    if !(200..300).contains(&response.status) {
        return Err(start_error(&response, &url));
    }
    device_authorization(client, &response).ok_or_else(|| {
        Error::new(Kind::Server, format!("{} did not send a user code", host(&url)))
            .hint("a proxy or a bot check may have answered instead")
    })
}

fn device_authorization(
    client: &ClientRegistration,
    response: &Response,
) -> Option<DeviceAuthorization> {
    let code: UserCodeResponse = serde_json::from_slice(&response.body).ok()?;
    if !is_user_code(&code.user_code) || !code.user_code.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return None;
    }
    let expires_in = number(&code.expires_in).and_then(|seconds| i64::try_from(seconds).ok());
    let expires_in = expires_in.unwrap_or(CODE_LIFETIME).min(CODE_LIFETIME);
    Some(DeviceAuthorization {
        issuer: client.issuer.clone(),
        client_id: client.client_id.clone(),
        device_code: code.device_auth_id,
        verification: Verification {
            reason: None,
            verification_uri: format!("{}/codex/device", client.issuer),
            verification_uri_complete: None,
            user_code: code.user_code,
            expires_at: clock::now() + expires_in,
        },
        interval: number(&code.interval).unwrap_or(INTERVAL),
        rules: AccountRules::default(),
        approval: None,
    })
}

fn start_error(response: &Response, url: &str) -> Error {
    match response.status {
        403 | 404 if response.is_from_endpoint() => Error::new(
            Kind::DeviceLoginDisabled,
            format!("{} does not offer device code sign-in here ({})", host(url), response.status),
        )
        .hint(
            "enable device code login in ChatGPT under Settings, Security, or ask your workspace's \
             administrator to allow it",
        ),
        _ => response.error(url),
    }
}

#[derive(Serialize)]
struct PollRequest<'a> {
    device_auth_id: &'a Secret<String>,
    user_code: &'a str,
}

/// Asks once whether the user has approved.
pub fn poll(http: &Http, authorization: &DeviceAuthorization) -> PollResponse {
    let url = format!("{}/api/accounts/deviceauth/token", authorization.issuer);
    let body = PollRequest {
        device_auth_id: &authorization.device_code,
        user_code: &authorization.verification.user_code,
    };
    match http.post_json(&url, &body) {
        Ok(response) => poll_response(&response, &url),
        // A success can be asked for again, so a lost response does no harm.
        Err(_) => PollResponse::Unavailable,
    }
}

fn poll_response(response: &Response, url: &str) -> PollResponse {
    match (response.status, response.error_code().as_deref()) {
        (200..300, _) => match serde_json::from_slice(&response.body) {
            Ok(code) => PollResponse::AuthorizationCode(code),
            Err(_) => PollResponse::Unavailable,
        },
        (_, Some("access_denied" | "authorization_declined")) => PollResponse::Failed(denied()),
        (_, Some("expired_token" | "code_expired")) => PollResponse::Failed(expired()),
        (429, _) => PollResponse::TooManyRequests(response.retry_after),
        (300..400 | 500.., _) => PollResponse::Unavailable,
        _ if !response.is_from_endpoint() => PollResponse::Unavailable,
        (403 | 404, _) => PollResponse::AuthorizationPending,
        _ => PollResponse::Failed(response.error(url)),
    }
}

/// Exchanges the authorization code of an approved device authorization (RFC 6749 §4.1.3, with PKCE).
pub fn exchange(
    http: &Http,
    authorization: &DeviceAuthorization,
    code: &AuthorizationCode,
) -> TokenOutcome {
    let url = format!("{}/oauth/token", authorization.issuer);
    let redirect_uri = format!("{}/deviceauth/callback", authorization.issuer);
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &authorization.client_id),
        ("code", code.authorization_code.expose()),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", code.code_verifier.expose()),
    ];
    TokenOutcome::of(http.post_form(&url, &form), &url, |response| {
        (400..500).contains(&response.status) && response.status != 429
    })
}

#[derive(Serialize)]
struct RefreshRequest<'a> {
    client_id: &'a str,
    grant_type: &'a str,
    refresh_token: &'a Secret<String>,
}

/// Renews with a refresh token (RFC 6749 §6).
pub fn refresh(
    http: &Http,
    url: &str,
    client_id: &str,
    refresh_token: &Secret<String>,
) -> TokenOutcome {
    let body = RefreshRequest { client_id, grant_type: "refresh_token", refresh_token };
    TokenOutcome::of(http.post_json(url, &body), url, |response| {
        let code = response.error_code().unwrap_or_default();
        matches!(response.status, 400 | 401) && INVALID_REFRESH_TOKEN.contains(&code.as_str())
    })
}

#[derive(Serialize)]
struct RevocationRequest<'a> {
    token: &'a Secret<String>,
    token_type_hint: &'a str,
    client_id: &'a str,
}

/// Revokes a token (RFC 7009).
pub fn revoke(
    http: &Http,
    url: &str,
    client_id: &str,
    token: &Secret<String>,
    hint: TokenTypeHint,
) -> Result<()> {
    let body = RevocationRequest { token, token_type_hint: hint.name(), client_id };
    let response = http.post_json(url, &body)?;
    if (200..300).contains(&response.status) { Ok(()) } else { Err(response.error(url)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn poll(status: u16, body: &str) -> PollResponse {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let response = Response { status, body, ..Response::default() };
        poll_response(&response, "https://a.example/token")
    }

    fn failure(status: u16, code: &str) -> Kind {
        match poll(status, &format!(r#"{{"error":{{"code":"{code}"}}}}"#)) {
            PollResponse::Failed(error) => error.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_poll_response_is_recognized() {
        let approved = r#"{"authorization_code":"a","code_verifier":"b"}"#;
        assert!(matches!(poll(200, approved), PollResponse::AuthorizationCode(_)));
        assert!(matches!(poll(403, "{}"), PollResponse::AuthorizationPending));
        assert!(matches!(poll(404, "{}"), PollResponse::AuthorizationPending));
        assert!(matches!(poll(429, "{}"), PollResponse::TooManyRequests(None)));
        assert_eq!(failure(403, "access_denied"), Kind::Denied);
        assert_eq!(failure(400, "code_expired"), Kind::LoginExpired);
        assert_eq!(failure(400, "bad_request"), Kind::Server);
        for (status, body) in [(200, "<html>"), (403, "<html>"), (502, "{}"), (307, "")] {
            assert!(matches!(poll(status, body), PollResponse::Unavailable), "{status} {body}");
        }
    }
}
