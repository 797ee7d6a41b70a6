//! What the responses of an authorization server mean that follows the RFCs.

use crate::error::{Error, Kind, Result};
use crate::oauth::device::{Approval, PollResponse, lost};
use crate::oauth::http::{RequestError, Response};
use crate::urls::host;

pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Whether a response to a refresh request refuses the refresh token for good (RFC 6749 §5.2).
pub(super) fn is_invalid_grant(response: &Response) -> bool {
    (400..500).contains(&response.status)
        && response.error_code().as_deref() == Some("invalid_grant")
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

/// Returns the error of an error response (RFC 6749 §5.2): `Configuration` if only another setting helps.
pub(super) fn request_error(response: &Response, url: &str) -> Error {
    let hint = match response.error_code().as_deref() {
        Some("invalid_client") => {
            "check client_id, and client_secret_file if the client has a secret"
        }
        Some("unauthorized_client" | "unsupported_grant_type") => {
            let what = format!("{} does not allow device authorization to this client", host(url));
            return Error::new(Kind::DeviceLoginDisabled, what).hint(
                "ask its administrator to allow the device code grant, or use another client_id",
            );
        }
        Some("invalid_scope") => "check scope: the server does not grant it to this client",
        Some("invalid_target") => "check audience and resource: the server does not know them",
        _ => return response.error(url),
    };
    Error::new(Kind::Configuration, response.error(url).text()).hint(hint)
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
    match (response.status, response.error_code().as_deref()) {
        (200..300, _) => match response.tokens().filter(|tokens| tokens.access_token.is_some()) {
            Some(tokens) => PollResponse::Approved(Approval::Tokens(tokens.into())),
            None if response.json().is_some() => PollResponse::Failed(lost(&response.error(url))),
            // A web page does not come from the token endpoint.
            None => PollResponse::Unavailable,
        },
        (_, Some("authorization_pending")) => PollResponse::AuthorizationPending,
        (_, Some("slow_down")) => PollResponse::SlowDown,
        (_, Some("invalid_grant" | "device_not_found")) => {
            PollResponse::UnknownCode(unknown_code(url))
        }
        (_, code) => PollResponse::of_error(&response).unwrap_or_else(|| match code {
            Some(_) => PollResponse::Failed(request_error(&response, url)),
            None => PollResponse::Unavailable,
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
