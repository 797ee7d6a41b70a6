//! This program as a client of an authorization server (RFC 6749, section 2): how it speaks there, and what it
//! asks for.

use crate::error::{Error, Kind, Result};
use crate::tokens::Secret;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

/// Who granted a login: its refresh token goes back to this issuer only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    pub issuer: String,
    pub client_id: String,
}

/// How an authorization server is spoken to.
#[derive(Clone, Debug)]
pub enum Dialect {
    /// As auth.openai.com has it.
    OpenAi,
    /// RFC 8628, 8414, 6749 and 7009, to the letter.
    Standard(Rc<Standard>),
}

/// What a profile says beside issuer and client id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standard {
    pub client_secret_file: Option<PathBuf>,
    pub scope: Option<String>,
    /// Who the access token is for, where the server asks for it in this way.
    pub audience: Option<String>,
    /// The same by RFC 8707.
    pub resource: Option<String>,
    pub endpoints: Endpoints,
}

/// Endpoints by the names of RFC 8414; those that a profile gives go before those that are discovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub device_authorization: Option<String>,
    pub token: Option<String>,
    pub revocation: Option<String>,
    pub jwks: Option<String>,
    /// Who an access token is of (OpenID Connect Core 1.0, section 5.3).
    pub userinfo: Option<String>,
}

impl Standard {
    /// The client's secret, for the few that need one.
    ///
    /// # Errors
    /// `Configuration` when the file cannot be read or has no secret in it.
    pub fn secret(&self) -> Result<Option<Secret<String>>> {
        let Some(path) = &self.client_secret_file else { return Ok(None) };
        let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("cannot use the client secret in {}", path.display());
            Error::new(Kind::Configuration, what)
                .hint("client_secret_file names a file of one line")
                .caused_by(cause)
        };
        let text = fs::read_to_string(path).map_err(|error| unusable(error.into()))?;
        let text = Secret::new(text);
        let secret = text.expose().trim_end_matches(['\r', '\n']);
        if secret.is_empty() || secret.contains(char::is_control) {
            return Err(unusable("it is not one line".into()));
        }
        Ok(Some(Secret::from(secret)))
    }

    /// All that makes one login another, beside issuer and client id.
    pub fn asks_for(&self) -> [&str; 3] {
        [&self.scope, &self.audience, &self.resource]
            .map(|part| part.as_deref().unwrap_or_default())
    }
}
