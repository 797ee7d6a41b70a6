//! The token endpoint: each request here carries something that can be used once.

use crate::error::Error;
use crate::oauth::device::{AuthorizationCode, DeviceAuthorization};
use crate::oauth::http::{Failure, Http, Response};
use crate::tokens::{Secret, TokenResponse};
use serde::Serialize;

/// What became of one request.
#[derive(Debug)]
pub enum Outcome {
    Granted(TokenResponse),
    /// What was sent is refused for good; perhaps because another program had used it.
    Refused {
        error: Error,
        may_be_used: bool,
    },
    /// It was not processed: it never left, or the server said so. What was sent is as good as before.
    NotProcessed(Error),
    /// It may have been processed, and the answer is lost.
    Unknown(Error),
}

impl Outcome {
    /// Why nothing was granted.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Granted(_) => None,
            Self::Refused { error, .. } | Self::NotProcessed(error) | Self::Unknown(error) => {
                Some(error)
            }
        }
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of RFC 6749")]
struct Refresh<'a> {
    client_id: &'a str,
    grant_type: &'a str,
    refresh_token: &'a Secret<String>,
}

/// Renews by refresh token (RFC 6749, section 6, in the JSON form of auth.openai.com).
pub fn refresh(http: &Http, url: &str, client_id: &str, refresh_token: &Secret<String>) -> Outcome {
    let body = Refresh { client_id, grant_type: "refresh_token", refresh_token };
    outcome(http.post_json(url, &body), url, |reply| {
        let code = reply.error_code().unwrap_or_default();
        matches!(reply.status, 400 | 401) && FINAL.contains(&code.as_str())
    })
}

/// Error codes after which a refresh token is of no more use. Any other answer, and any failure of the network,
/// leaves it alive.
const FINAL: [&str; 5] = [
    "refresh_token_reused",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "invalid_grant",
    "token_expired",
];

/// Exchanges an approved device login for tokens (RFC 6749, section 4.1.3, with PKCE).
pub fn exchange(
    http: &Http,
    pending: &DeviceAuthorization,
    approval: &AuthorizationCode,
) -> Outcome {
    let url = format!("{}/oauth/token", pending.issuer);
    let redirect_uri = format!("{}/deviceauth/callback", pending.issuer);
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &pending.client_id),
        ("code", approval.authorization_code.expose()),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", approval.code_verifier.expose()),
    ];
    outcome(http.post_form(&url, &form), &url, |reply| {
        (400..500).contains(&reply.status) && reply.status != 429
    })
}

pub(super) fn outcome(
    result: Result<Response, Failure>,
    url: &str,
    is_final: impl Fn(&Response) -> bool,
) -> Outcome {
    let reply = match result {
        Ok(reply) => reply,
        Err(Failure::NotSent(error)) => return Outcome::NotProcessed(error),
        Err(Failure::NoAnswer(error) | Failure::CutOff(_, error)) => {
            return Outcome::Unknown(error);
        }
    };
    match reply.status {
        200..300 => match reply.tokens() {
            Some(tokens) => Outcome::Granted(tokens),
            None => Outcome::Unknown(reply.error(url)),
        },
        500.. => Outcome::Unknown(reply.error(url)),
        _ if reply.is_to_the_request() && is_final(&reply) => {
            let code = reply.error_code().unwrap_or_default();
            let may_be_used = matches!(code.as_str(), "refresh_token_reused" | "invalid_grant");
            Outcome::Refused { error: reply.error(url), may_be_used }
        }
        _ => Outcome::NotProcessed(reply.error(url)),
    }
}
