//! Device authorization by the standard (RFC 8628): a successful poll yields the tokens.

use crate::device_authorization::DeviceAuthorization;
use crate::error::{Error, Kind, Result};
use crate::oauth::device::{PollResponse, device_authorization};
use crate::oauth::http::{RequestError, Response};
use crate::oauth::standard::{StandardServer, request_error};
use crate::urls::host;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The longest lifetime of a device code we accept, in seconds.
const LONGEST_LIFETIME: u64 = 24 * 3600;

impl StandardServer<'_> {
    /// Requests a device code and a user code (RFC 8628 §3.1).
    ///
    /// # Errors
    /// `DeviceLoginDisabled` if the server does not offer device authorization to this client.
    pub fn start(&self) -> Result<DeviceAuthorization> {
        let url = self.endpoints.device_authorization.as_deref().ok_or_else(|| {
            let mut error = self.no_endpoint("device_authorization_endpoint");
            error.kind = Kind::DeviceLoginDisabled;
            error
        })?;
        self.token_endpoint()?;
        let scope = self.standard.scope.as_deref().map(|scope| ("scope", scope));
        let fields: Vec<_> = scope.into_iter().chain(self.audience()).collect();
        let response = self.post(url, &fields)?;
        if !(200..300).contains(&response.status) {
            return Err(request_error(&response, url));
        }
        device_authorization(self.client, &response, url, None, LONGEST_LIFETIME)
    }

    /// Asks once whether the user has approved (RFC 8628 §3.4).
    pub fn poll(&self, authorization: &DeviceAuthorization) -> PollResponse {
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return PollResponse::Failed(error),
        };
        let device_code = authorization.device_code.expose().as_str();
        match self.post(url, &[("grant_type", GRANT_TYPE), ("device_code", device_code)]) {
            Ok(response) => poll_response(&response, url),
            // The device code can be used once, and this response used it.
            Err(RequestError::CutOff(200..300, error)) => PollResponse::TokensLost(error),
            Err(RequestError::NotSent(error)) if error.kind == Kind::Configuration => {
                PollResponse::Failed(error)
            }
            Err(RequestError::NotSent(_)) => PollResponse::Unavailable,
            Err(RequestError::NoResponse(_) | RequestError::CutOff(..)) => PollResponse::NoResponse,
        }
    }
}

/// RFC 8628 §3.5.
fn poll_response(response: &Response, url: &str) -> PollResponse {
    match (response.status, response.error_code().as_deref()) {
        (200..300, _) => match response.tokens().filter(|tokens| tokens.access_token.is_some()) {
            Some(tokens) => PollResponse::Tokens(tokens),
            None if response.json().is_some() => PollResponse::TokensLost(response.error(url)),
            // A web page does not come from the token endpoint.
            None => PollResponse::Unavailable,
        },
        (_, Some("authorization_pending")) => PollResponse::AuthorizationPending,
        (_, Some("slow_down")) => PollResponse::SlowDown,
        (_, Some("invalid_grant" | "device_not_found")) => {
            PollResponse::UnknownCode(unknown_code(url))
        }
        (_, code) => PollResponse::of_error(response).unwrap_or_else(|| match code {
            Some(_) => PollResponse::Failed(request_error(response, url)),
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
    use zeroize::Zeroizing;

    fn poll(status: u16, body: &str) -> PollResponse {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let response = Response { status, body, ..Response::default() };
        poll_response(&response, "https://a.example/token")
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
        assert!(matches!(poll(200, tokens), PollResponse::Tokens(_)));
        assert!(matches!(poll(200, "{}"), PollResponse::TokensLost(_)));
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
