//! This program as a client of an authorization server (RFC 6749 §2).

use crate::error::{Error, Kind, Result};
use crate::read_file::read_regular;
use crate::tokens::Secret;
use crate::values::{EndpointUrl, OneLine, Parameter, RedirectUri};
use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// The issuer and the client that a login was granted to: its refresh token goes to this issuer only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    pub issuer: String,
    pub client_id: String,
}

/// How the client authenticates with its secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::doc_markdown, reason = "these comments are the help of `profile add`")]
pub enum ClientAuth {
    /// in the header (client_secret_basic)
    Basic,
    /// in the body (client_secret_post)
    Post,
    /// without the secret
    None,
}

/// What a profile says about a standard authorization server, beside issuer and client id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standard {
    pub client_secret_file: Option<PathBuf>,
    /// The method of client authentication; `None` for the one that the server lists.
    pub client_auth: Option<ClientAuth>,
    pub scope: Option<OneLine>,
    /// The audience of the access token, for servers with this parameter.
    pub audience: Option<OneLine>,
    /// The resource of the access token (RFC 8707).
    pub resource: Option<OneLine>,
    /// More parameters for the device and token requests.
    pub parameters: Vec<Parameter>,
    /// Where a browser brings the answer to an authorization request.
    pub redirect_uri: Option<RedirectUri>,
    pub endpoints: Endpoints,
}

/// Endpoints (RFC 8414 §2). Those of a profile override discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Endpoints {
    #[serde(default, deserialize_with = "usable")]
    pub authorization_endpoint: Option<EndpointUrl>,
    #[serde(default, deserialize_with = "usable")]
    pub device_authorization_endpoint: Option<EndpointUrl>,
    #[serde(default, deserialize_with = "usable")]
    pub token_endpoint: Option<EndpointUrl>,
    #[serde(default, deserialize_with = "usable")]
    pub revocation_endpoint: Option<EndpointUrl>,
    #[serde(default, deserialize_with = "usable")]
    pub jwks_uri: Option<EndpointUrl>,
    /// Tells whose access token it is sent (OpenID Connect Core 1.0 §5.3).
    #[serde(default, deserialize_with = "usable")]
    pub userinfo_endpoint: Option<EndpointUrl>,
}

/// Reads an endpoint of a discovery document. One that is empty or may be sent no secret counts as missing: the profile may
/// name another one, and not every command needs it.
fn usable<'de, D: Deserializer<'de>>(from: D) -> Result<Option<EndpointUrl>, D::Error> {
    let text = Value::deserialize(from)?;
    Ok(text.as_str().and_then(|text| text.parse().ok()))
}

impl Endpoints {
    /// Fills endpoints that are missing here from `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            authorization_endpoint: self.authorization_endpoint.or(other.authorization_endpoint),
            device_authorization_endpoint: self
                .device_authorization_endpoint
                .or(other.device_authorization_endpoint),
            token_endpoint: self.token_endpoint.or(other.token_endpoint),
            revocation_endpoint: self.revocation_endpoint.or(other.revocation_endpoint),
            jwks_uri: self.jwks_uri.or(other.jwks_uri),
            userinfo_endpoint: self.userinfo_endpoint.or(other.userinfo_endpoint),
        }
    }
}

impl Standard {
    /// Reads the client secret, if the client has one.
    ///
    /// # Errors
    /// `Configuration` if the file cannot be read or is not one line.
    pub fn secret(&self) -> Result<Option<Secret<String>>> {
        let Some(path) = &self.client_secret_file else { return Ok(None) };
        let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("cannot use the client secret in {}", path.display());
            Error::new(Kind::Configuration, what)
                .hint("write the secret, and nothing else, on one line of that file")
                .caused_by(cause)
        };
        let bytes = read_regular(path).map_err(|error| unusable(error.into()))?;
        let text = str::from_utf8(&bytes).map_err(|_| unusable("it is not valid UTF-8".into()))?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() || secret.contains(char::is_control) {
            return Err(unusable("it is not one line".into()));
        }
        Ok(Some(Secret::from(secret)))
    }
}
