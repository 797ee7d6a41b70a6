//! Discovers the endpoints of an issuer: authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0).

use crate::client::{ClientAuth, Endpoints};
use crate::error::{Error, Kind, Result};
use crate::oauth::http::{Http, Response};
use crate::oauth::pkce;
use crate::oauth::response::printable;
use crate::oauth::signature::ALLOWED;
use crate::urls::host;
use serde::Deserialize;

/// The members that this program uses (RFC 8414 §2).
#[derive(Debug, Deserialize)]
pub struct ServerMetadata {
    issuer: String,
    #[serde(flatten)]
    pub endpoints: Endpoints,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    response_types_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    /// The URL of the metadata.
    #[serde(skip)]
    pub url: String,
}

impl ServerMetadata {
    /// Whether the server supports PKCE (RFC 8414 §2, RFC 7636).
    pub fn supports_pkce(&self) -> bool {
        let methods = self.code_challenge_methods_supported.iter().flatten();
        methods.into_iter().any(|method| method == pkce::METHOD)
    }

    /// Whether the server answers an authorization request with a code (RFC 8414 §2).
    pub fn supports_code(&self) -> bool {
        let types = self.response_types_supported.as_ref();
        types.is_none_or(|types| types.iter().any(|supported| supported == "code"))
    }

    /// Whether each answer to an authorization request names the issuer (RFC 9207 §3).
    pub fn answers_iss(&self) -> bool {
        self.authorization_response_iss_parameter_supported
    }

    /// Returns how the client sends its secret. RFC 6749 §2.3.1 prefers the header.
    pub fn client_auth(&self) -> ClientAuth {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |name: &str| methods.iter().any(|method| method == name);
        if has("client_secret_post") && !has("client_secret_basic") {
            ClientAuth::Post
        } else {
            ClientAuth::Basic
        }
    }

    /// Returns the signatures of the server's ID tokens, if this program supports none of them.
    pub fn unsupported_id_tokens(&self) -> Option<String> {
        let algorithms = self.id_token_signing_alg_values_supported.as_deref().unwrap_or_default();
        let is_supported = |name: &String| name.parse().is_ok_and(|name| ALLOWED.contains(&name));
        let is_unsupported = !algorithms.is_empty() && !algorithms.iter().any(is_supported);
        is_unsupported.then(|| printable(&algorithms.join(", ")))
    }
}

/// Returns the well-known URLs: RFC 8414 §3.1 puts the issuer's path last, OpenID Connect puts it first.
fn well_known_urls(issuer: &str) -> [String; 2] {
    let issuer = issuer.trim_end_matches('/');
    let path_at =
        issuer.find("://").and_then(|at| issuer[at + 3..].find('/').map(|path| at + 3 + path));
    let (origin, path) = issuer.split_at(path_at.unwrap_or(issuer.len()));
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{issuer}/.well-known/openid-configuration"),
    ]
}

/// Gets the issuer's metadata.
///
/// # Errors
/// `Configuration` if the metadata is for another issuer or the issuer publishes none.
pub fn discover(http: &Http, issuer: &str) -> Result<ServerMetadata> {
    let mut found: Option<ServerMetadata> = None;
    let mut first_error = None;
    for url in well_known_urls(issuer) {
        let document =
            http.get(&url).map_err(Error::from).and_then(|response| match response.status {
                200 => read(&response, issuer, &url).map(Some),
                400..500 if response.status != 429 => Ok(None),
                _ => Err(response.error(&url)),
            });
        match (document, &mut found) {
            (Ok(Some(second)), Some(first)) => {
                first.endpoints = first.endpoints.clone().or(second.endpoints);
            }
            (Ok(Some(first)), None) => found = Some(first),
            // The other document may be good.
            (Err(error), _) => drop(first_error.get_or_insert(error)),
            (Ok(None), _) => {}
        }
        // Some servers have it in the document of OpenID Connect alone.
        if let Some(found) = &found
            && found.endpoints.device_authorization_endpoint.is_some()
        {
            break;
        }
        if first_error.as_ref().is_some_and(|error| error.kind == Kind::Network) {
            break;
        }
    }
    if let Some(found) = found {
        return Ok(found);
    }
    Err(first_error.unwrap_or_else(|| {
        let what = format!("{} does not publish its endpoints (no discovery)", host(issuer));
        Error::new(Kind::Configuration, what).hint(
            "check issuer, or set token_endpoint and device_authorization_endpoint in the profile",
        )
    }))
}

fn read(response: &Response, issuer: &str, url: &str) -> Result<ServerMetadata> {
    let metadata: ServerMetadata = serde_json::from_slice(&response.body).map_err(|error| {
        let why = printable(&error.to_string());
        let what = format!("{url} did not send the metadata of an authorization server ({why})");
        Error::new(Kind::Server, what).hint("a proxy or a sign-in page may have answered instead")
    })?;
    // Compared exactly (RFC 8414 §3.3).
    if metadata.issuer != issuer {
        return Err(other_issuer(&printable(&metadata.issuer), issuer, url));
    }
    Ok(ServerMetadata { url: url.to_owned(), ..metadata })
}

/// The metadata at `url` is for the issuer `found`.
fn other_issuer(found: &str, issuer: &str, url: &str) -> Error {
    // Microsoft Entra ID: https://login.microsoftonline.com/{tenantid}/v2.0
    if let Some((before, rest)) = found.split_once('{')
        && let Some((_, after)) = rest.split_once('}')
    {
        let what =
            format!("{issuer} is for the users of many tenants, and each tenant is an issuer");
        return Error::new(Kind::Configuration, what).hint(format!(
            "set issuer = \"{before}TENANT-ID{after}\" in the profile, with the id of your tenant"
        ));
    }
    let what = format!("{url} is for the issuer {found:?}, not for {issuer:?}");
    let error = Error::new(Kind::Configuration, what);
    if host(found) == host(issuer) {
        return error.hint(format!("if you trust it, set issuer = \"{found}\" in the profile"));
    }
    error.hint("write issuer in the profile exactly as the server does, including a final slash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_the_issuer_is_last_for_oauth_and_first_for_openid() {
        assert_eq!(
            well_known_urls("https://a.example/realms/x/"),
            [
                "https://a.example/.well-known/oauth-authorization-server/realms/x",
                "https://a.example/realms/x/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            well_known_urls("https://a.example"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
    }
}
