//! What a request to the token endpoint led to (RFC 6749 §5). Each request sends something that can be used once.

use crate::error::{Error, Kind};
use crate::oauth::error_code::Meaning;
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
    /// The server refused the request for a reason that we do not know, or named none. What was sent may be valid or not.
    Refused(Error),
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
            Self::InvalidGrant { error, .. }
            | Self::Refused(error)
            | Self::NotProcessed(error)
            | Self::Unknown(error) => Some(error),
        }
    }

    /// Classifies the result of a request. `is_final` tells whether an error response refuses what was sent for good;
    /// web pages and bot checks are never asked. `error` explains a response without tokens.
    pub(super) fn of(
        result: Result<Response, RequestError>,
        is_final: impl Fn(&Response) -> bool,
        error: impl Fn(&Response) -> Error,
    ) -> Self {
        let response = match result {
            Ok(response) => response,
            Err(RequestError::NotSent(error)) => return Self::NotProcessed(error),
            Err(RequestError::NoResponse(error) | RequestError::CutOff(_, error)) => {
                return Self::Unknown(error);
            }
        };
        match response.status {
            _ if response.is_success() => match response.tokens() {
                Some(tokens) => Self::Tokens(tokens),
                None => Self::Unknown(error(&response)),
            },
            500.. => Self::Unknown(error(&response)),
            _ if response.is_from_endpoint() && is_final(&response) => {
                let code = response.error_code().unwrap_or_default();
                let may_be_used =
                    code == "refresh_token_reused" || Meaning::of(&code) == Meaning::InvalidGrant;
                Self::InvalidGrant { error: error(&response), may_be_used }
            }
            200..=299 | 400 | 401 | 403
                if response.is_from_endpoint() && !response.is_transient() =>
            {
                let error = error(&response);
                match error.kind {
                    Kind::Server => Self::Refused(error),
                    // The server says what else is wrong.
                    _ => Self::NotProcessed(error),
                }
            }
            _ => Self::NotProcessed(error(&response)),
        }
    }
}
