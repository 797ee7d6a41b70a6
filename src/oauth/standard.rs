//! What the responses of an authorization server mean that follows the RFCs.

use crate::error::{Error, Kind, Result};
use crate::oauth::device::{Approval, PollResponse, lost};
use crate::oauth::error_code::Meaning;
use crate::oauth::http::{RequestError, Response};
use crate::urls::host;
use std::time::Duration;

pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn meaning(response: &Response) -> Option<Meaning> {
    match response.error_code().map(|code| Meaning::of(&code)) {
        // 401 is for a client that is not authenticated (RFC 6749 §5.2). Keycloak adds another code.
        Some(Meaning::GrantNotAllowed) if response.status == 401 => Some(Meaning::ClientRefused),
        meaning => meaning,
    }
}

/// Whether the server did not accept the client's secret, or the way in which it was sent.
pub(super) fn refuses_client(response: &Response) -> bool {
    matches!(response.status, 200..300 | 400..500)
        && !response.is_success()
        && meaning(response) == Some(Meaning::ClientRefused)
}

/// Whether a response to a refresh request refuses the refresh token for good (RFC 6749 §5.2).
pub(super) fn is_invalid_grant(response: &Response) -> bool {
    // Servers that send errors with status 200 include this one.
    matches!(response.status, 200..300 | 400..500)
        && matches!(meaning(response), Some(Meaning::InvalidGrant | Meaning::CodeExpired))
}

/// Whether a server that refused an authorization request wants another use of PKCE: Keycloak can require a challenge and
/// not list it, and a strict server may refuse one it does not know in this flow.
pub(super) fn is_about_pkce(response: &Response) -> bool {
    let json = response.json().unwrap_or_default();
    response.error_code().as_deref() == Some("invalid_request")
        && json["error_description"].as_str().is_some_and(|text| {
            ["code_challenge", "pkce"].iter().any(|word| text.to_lowercase().contains(word))
        })
}

/// How long no request is sent after a server has asked for the user: what it wants may be met without a new sign-in, as
/// when the machine is back in the company's network.
const USER_NEEDED_PAUSE: Duration = Duration::from_secs(60);

/// Returns the error of an error response (RFC 6749 §5.2), for any request.
pub(super) fn error(response: &Response, url: &str) -> Error {
    let error = response.error(url);
    if !response.is_from_endpoint() || matches!(response.status, 429 | 500..) {
        return error;
    }
    let of_kind = |kind| Error::new(kind, error.text());
    match meaning(response) {
        Some(Meaning::Denied) => of_kind(Kind::Denied)
            .hint("the issuer's administrator can say why, and its sign-in log may"),
        Some(Meaning::UserNeeded) => {
            of_kind(Kind::LoginRequired).retry_after(Some(USER_NEEDED_PAUSE)).sign_in_again()
        }
        Some(Meaning::GrantNotAllowed) => of_kind(Kind::Configuration)
            .hint("ask the issuer's administrator what this client_id is allowed"),
        Some(Meaning::ClientRefused) => of_kind(Kind::Configuration).hint(
            "check client_id, and client_secret_file and client_auth if the client has a secret",
        ),
        Some(Meaning::Misconfigured(hint)) => of_kind(Kind::Configuration).hint(hint),
        _ => error,
    }
}

/// As [`error`], for the requests of a device authorization.
pub(super) fn device_error(response: &Response, url: &str) -> Error {
    if meaning(response) != Some(Meaning::GrantNotAllowed) {
        return error(response, url);
    }
    let what = "does not allow device authorization to this client";
    let what = format!("{} {what}{}", host(url), response.description());
    Error::new(Kind::DeviceLoginDisabled, what)
        .hint("ask its administrator to allow the device code grant, or use another client_id")
}

/// Returns what a poll led to (RFC 8628 §3.5).
pub(super) fn poll_response(result: Result<Response, RequestError>, url: &str) -> PollResponse {
    let response = match result {
        Ok(response) => response,
        // The device code can be used once, and this response used it.
        Err(RequestError::CutOff(200..300, error)) => return PollResponse::Failed(lost(&error)),
        Err(RequestError::NotSent(error)) if error.kind == Kind::Configuration => {
            return PollResponse::Failed(error);
        }
        Err(RequestError::NotSent(_)) => return PollResponse::Unavailable,
        Err(RequestError::NoResponse(_) | RequestError::CutOff(..)) => {
            return PollResponse::NoResponse;
        }
    };
    if response.is_success() {
        return match response.tokens().filter(|tokens| tokens.access_token.is_some()) {
            Some(tokens) => PollResponse::Approved(Approval::Tokens(tokens.into())),
            None if response.json().is_some() => PollResponse::Failed(lost(&response.error(url))),
            // A web page does not come from the token endpoint.
            None => PollResponse::Unavailable,
        };
    }
    match meaning(&response) {
        Some(Meaning::AuthorizationPending) => PollResponse::AuthorizationPending,
        Some(Meaning::SlowDown) => PollResponse::SlowDown,
        Some(Meaning::InvalidGrant) => PollResponse::UnknownCode(unknown_code(url)),
        meaning => PollResponse::of_error(&response).unwrap_or_else(|| match meaning {
            None | Some(Meaning::Temporary) => PollResponse::Unavailable,
            Some(_) => PollResponse::Failed(device_error(&response, url)),
        }),
    }
}

fn unknown_code(url: &str) -> Error {
    let what =
        format!("{} does not know the device code: it was denied, used or has expired", host(url));
    Error::new(Kind::LoginExpired, what).run("to get a new one", "codex-credential login")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(status: u16, body: &str) -> PollResponse {
        poll_response(Ok(Response::of(status, body)), "https://a.example/token")
    }

    fn error(status: u16, code: &str) -> PollResponse {
        poll(status, &format!(r#"{{"error":"{code}"}}"#))
    }

    fn failure(status: u16, code: &str) -> Kind {
        match error(status, code) {
            PollResponse::Failed(error) => error.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_poll_response_is_recognized() {
        let tokens = r#"{"access_token":"a","token_type":"bearer"}"#;
        assert!(matches!(poll(200, tokens), PollResponse::Approved(_)));
        assert!(matches!(poll(200, "{}"), PollResponse::Failed(_)));
        assert!(matches!(error(400, "authorization_pending"), PollResponse::AuthorizationPending));
        assert!(matches!(error(400, "slow_down"), PollResponse::SlowDown));
        assert!(matches!(error(404, "device_not_found"), PollResponse::UnknownCode(_)));
        assert!(matches!(error(400, "invalid_grant"), PollResponse::UnknownCode(_)));
        assert_eq!(failure(400, "access_denied"), Kind::Denied);
        assert_eq!(failure(400, "expired_token"), Kind::LoginExpired);
        assert_eq!(failure(401, "invalid_client"), Kind::Configuration);
        for (status, body) in [(200, "<html>"), (400, ""), (403, "<html>"), (502, "{}"), (307, "")]
        {
            assert!(matches!(poll(status, body), PollResponse::Unavailable), "{status} {body}");
        }
    }
}
