//! Ends a login at the server (RFC 7009, in the JSON form of auth.openai.com).

use crate::error::Result;
use crate::oauth::http::Http;
use crate::tokens::Secret;
use serde::Serialize;

/// What kind of token is revoked (RFC 7009, section 2.1).
#[derive(Clone, Copy, Debug)]
pub enum TypeHint {
    RefreshToken,
    AccessToken,
}

impl TypeHint {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
        }
    }
}

#[derive(Serialize)]
struct Revocation<'a> {
    token: &'a Secret<String>,
    token_type_hint: &'a str,
    client_id: &'a str,
}

pub fn revoke(
    http: &Http,
    url: &str,
    client_id: &str,
    token: &Secret<String>,
    hint: TypeHint,
) -> Result<()> {
    let body = Revocation { token, token_type_hint: hint.name(), client_id };
    let reply = http.post_json(url, &body)?;
    if (200..300).contains(&reply.status) { Ok(()) } else { Err(reply.error(url)) }
}
