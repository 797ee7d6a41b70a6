//! What a request to the token endpoint led to (RFC 6749 §5). Each request sends something that can be used once.

use crate::error::Error;
use crate::oauth::http::{RequestError, Response};
use crate::tokens::TokenResponse;

#[derive(Debug)]
pub enum TokenOutcome {
    /// A successful response (RFC 6749 §5.1).
    Tokens(TokenResponse),
    /// The server refused the refresh token or authorization code for good (`invalid_grant`, RFC 6749 §5.2).
    InvalidGrant {
        error: Error,
        /// Another program may have used it and received the tokens.
        may_be_used: bool,
    },
    /// The request was not sent, or the server did not process it. What was sent stays valid.
    NotProcessed(Error),
    /// The server may have processed the request, but its response is lost.
    Unknown(Error),
}

impl TokenOutcome {
    /// Returns why there are no tokens.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Tokens(_) => None,
            Self::InvalidGrant { error, .. } | Self::NotProcessed(error) | Self::Unknown(error) => {
                Some(error)
            }
        }
    }

    /// Classifies the result of a request to `url`. `is_final` tells whether an error response refuses what was
    /// sent for good; web pages and bot checks are never asked.
    pub(super) fn of(
        result: Result<Response, RequestError>,
        url: &str,
        is_final: impl Fn(&Response) -> bool,
    ) -> Self {
        let response = match result {
            Ok(response) => response,
            Err(RequestError::NotSent(error)) => return Self::NotProcessed(error),
            Err(RequestError::NoResponse(error) | RequestError::CutOff(_, error)) => {
                return Self::Unknown(error);
            }
        };
        match response.status {
            200..300 => match response.tokens() {
                Some(tokens) => Self::Tokens(tokens),
                None => Self::Unknown(response.error(url)),
            },
            500.. => Self::Unknown(response.error(url)),
            _ if response.is_from_endpoint() && is_final(&response) => {
                let code = response.error_code().unwrap_or_default();
                let may_be_used = matches!(code.as_str(), "refresh_token_reused" | "invalid_grant");
                Self::InvalidGrant { error: response.error(url), may_be_used }
            }
            _ => Self::NotProcessed(response.error(url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn outcome(status: u16, body: &str) -> TokenOutcome {
        TokenOutcome::of(Ok(Response::of(status, body)), "https://a.example/token", |response| {
            response.error_code().as_deref() == Some("invalid_grant")
        })
    }

    #[test]
    fn only_a_final_error_response_of_the_endpoint_is_an_invalid_grant() {
        let invalid_grant = r#"{"error":"invalid_grant"}"#;
        assert!(matches!(
            outcome(400, invalid_grant),
            TokenOutcome::InvalidGrant { may_be_used: true, .. }
        ));
        assert!(matches!(outcome(400, r#"{"error":"x"}"#), TokenOutcome::NotProcessed(_)));
        assert!(matches!(outcome(400, "<html>"), TokenOutcome::NotProcessed(_)));
        assert!(matches!(outcome(500, invalid_grant), TokenOutcome::Unknown(_)));
    }

    #[test]
    fn success_without_tokens_is_unknown() {
        assert!(matches!(outcome(200, r#"{"access_token":"a"}"#), TokenOutcome::Tokens(_)));
        assert!(matches!(outcome(200, "{}"), TokenOutcome::Unknown(_)));
    }

    #[test]
    fn request_without_a_response_is_unknown_unless_it_was_not_sent() {
        let error = || Error::new(Kind::Network, "no answer");
        let of = |error| TokenOutcome::of(Err(error), "https://a.example/token", |_| true);
        assert!(matches!(of(RequestError::NotSent(error())), TokenOutcome::NotProcessed(_)));
        assert!(matches!(of(RequestError::NoResponse(error())), TokenOutcome::Unknown(_)));
        assert!(matches!(of(RequestError::CutOff(200, error())), TokenOutcome::Unknown(_)));
    }
}
