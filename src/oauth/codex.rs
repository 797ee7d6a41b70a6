//! The dialect of auth.openai.com.
//!
//! Its device authorization has the steps of RFC 8628 and other messages: an approval yields an authorization code,
//! which is exchanged for the tokens. Refresh and revocation are RFC 6749 §6 and RFC 7009 with JSON bodies.

use crate::client::ClientRegistration;
use crate::error::{Error, Kind};
use crate::oauth::device::{Approval, PollResponse};
use crate::oauth::http::{Field, Http, Response};
use crate::oauth::token_endpoint::TokenOutcome;
use crate::pending_sign_in::DeviceCode;
use crate::urls::host;

/// Error codes after which a refresh token is useless.
const INVALID_REFRESH_TOKEN: [&str; 12] = [
    "refresh_token_reused",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_revoked",
    "invalid_refresh_token",
    "invalid_grant",
    "token_expired",
    "token_revoked",
    "app_session_expired",
    "app_session_terminated",
    "account_deactivated",
    "deactivated_workspace",
];

/// Whether a response to a refresh request refuses the refresh token for good: with one of these codes, or with 401 in JSON
/// and any code, which ends the login for Codex, too.
pub(super) fn is_invalid_refresh_token(response: &Response) -> bool {
    let code = response.error_code().unwrap_or_default();
    match response.status {
        401 if response.json().is_some_and(|json| json.is_object()) => true,
        400..=403 => INVALID_REFRESH_TOKEN.contains(&code.as_str()),
        _ => false,
    }
}

/// Returns the page on which the user enters the code.
pub(super) fn verification_page(issuer: &str) -> String {
    format!("{issuer}/codex/device")
}

pub(super) fn start_error(response: &Response, url: &str) -> Error {
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

/// Asks once whether the user has approved.
pub(super) fn poll(
    http: &Http,
    issuer: &str,
    request: &DeviceCode,
    user_code: &str,
) -> PollResponse {
    let url = format!("{issuer}/api/accounts/deviceauth/token");
    let fields =
        [("device_auth_id", request.device_code.expose().as_str()), ("user_code", user_code)];
    match http.post_json(&url, &fields) {
        Ok(response) => poll_response(&response, &url),
        // A success can be asked for again, so a lost response does no harm.
        Err(_) => PollResponse::Unavailable,
    }
}

fn poll_response(response: &Response, url: &str) -> PollResponse {
    if response.is_success() {
        let code = serde_json::from_slice(&response.body);
        return code.map_or(PollResponse::Unavailable, |code| {
            PollResponse::Approved(Approval::Code(code))
        });
    }
    PollResponse::of_error(response).unwrap_or_else(|| match response.status {
        403 | 404 => PollResponse::AuthorizationPending,
        _ => PollResponse::Failed(response.error(url)),
    })
}

/// The parameters of an authorization request that Codex sends as well, under our own name.
pub(super) const AUTHORIZATION_PARAMETERS: [(&str, &str); 4] = [
    ("scope", "openid profile email offline_access api.connectors.read api.connectors.invoke"),
    ("id_token_add_organizations", "true"),
    ("codex_cli_simplified_flow", "true"),
    ("originator", "codex-credential"),
];

/// The redirect URIs that Codex's client may use.
pub fn redirect_uris() -> Vec<String> {
    [1455, 1457].map(|port| format!("http://127.0.0.1:{port}/auth/callback")).into()
}

pub(super) fn device_redirect_uri(issuer: &str) -> String {
    format!("{issuer}/deviceauth/callback")
}

/// Exchanges an authorization code. `fields` are those of RFC 6749 §4.1.3.
pub(super) fn exchange(http: &Http, client: &ClientRegistration, fields: &[Field]) -> TokenOutcome {
    let url = format!("{}/oauth/token", client.issuer);
    let form = [fields, &[("client_id", &client.client_id)]].concat();
    let is_final =
        |response: &Response| (400..500).contains(&response.status) && response.status != 429;
    TokenOutcome::of(http.post_form(&url, &form, None), is_final, |response| response.error(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(status: u16, body: &str) -> PollResponse {
        poll_response(&Response::of(status, body), "https://a.example/token")
    }

    fn failure(status: u16, code: &str) -> Kind {
        match poll(status, &format!(r#"{{"error":{{"code":"{code}"}}}}"#)) {
            PollResponse::Failed(error) => error.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusal_is_final_by_its_code_or_as_401_in_json() {
        let is_final = |status, body: &str| is_invalid_refresh_token(&Response::of(status, body));
        for code in INVALID_REFRESH_TOKEN {
            for body in [
                format!(r#"{{"error":{{"code":"{code}"}}}}"#),
                format!(r#"{{"error":"{code}"}}"#),
                format!(r#"{{"detail":{{"code":"{code}"}}}}"#),
                format!(r#"{{"code":"{code}"}}"#),
            ] {
                for status in [400, 401, 403] {
                    assert!(is_final(status, &body), "{status} {body}");
                }
                for status in [404, 429, 500, 503] {
                    assert!(!is_final(status, &body), "{status} {body}");
                }
            }
        }
        for body in ["{}", r#"{"error":"new_code"}"#, r#"{"error":{"code":null}}"#] {
            assert!(is_final(401, body), "{body}");
            assert!(!is_final(400, body) && !is_final(403, body), "{body}");
        }
        assert!(!is_final(401, "") && !is_final(401, "Unauthorized") && !is_final(401, "[]"));
    }

    #[test]
    fn each_poll_response_is_recognized() {
        let approved = r#"{"authorization_code":"a","code_verifier":"b"}"#;
        assert!(matches!(poll(200, approved), PollResponse::Approved(Approval::Code(_))));
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
