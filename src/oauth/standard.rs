//! An authorization server that follows the RFCs, and this program as its client.

use crate::client::ClientRegistration;
use crate::client::{Endpoints, Standard};
use crate::error::{Error, Kind, Result};
use crate::oauth::http::{Field, Http, RequestError, Response};
use crate::oauth::response::without_secrets;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::tokens::Secret;
use crate::urls::host;

pub struct StandardServer<'a> {
    pub http: &'a Http,
    pub client: &'a ClientRegistration,
    pub standard: &'a Standard,
    /// Those of the profile; discovered ones where the profile has none.
    pub endpoints: Endpoints,
    /// Whether the client secret is sent in the body instead of the header.
    pub secret_in_body: bool,
}

impl StandardServer<'_> {
    /// Posts a form with client authentication (RFC 6749 §2.3.1).
    pub(super) fn post(&self, url: &str, fields: &[Field]) -> Result<Response, RequestError> {
        let client_id = self.client.client_id.as_str();
        let secret = self.standard.secret().map_err(RequestError::NotSent)?;
        let mut fields = fields.to_vec();
        // Some servers look for the client id only in the body, even if the header has it.
        fields.push(("client_id", client_id));
        match &secret {
            Some(secret) if !self.secret_in_body => {
                return self.http.post_form_with_basic_auth((client_id, secret), url, &fields);
            }
            Some(secret) => fields.push(("client_secret", secret.expose())),
            None => {}
        }
        self.http.post_form(url, &fields)
    }

    pub(super) fn token_endpoint(&self) -> Result<&str> {
        self.endpoints.token.as_deref().ok_or_else(|| self.no_endpoint("token_endpoint"))
    }

    pub(super) fn no_endpoint(&self, name: &str) -> Error {
        let what = format!("{} does not publish its {name}", host(&self.client.issuer));
        Error::new(Kind::Configuration, what)
            .hint(format!("if the server has one, set {name} in the profile"))
    }

    /// Renews with a refresh token (RFC 6749 §6). The scope stays the one that was granted.
    pub fn refresh(&self, refresh_token: &Secret<String>) -> TokenOutcome {
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return TokenOutcome::NotProcessed(error),
        };
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose().as_str()),
        ];
        fields.extend(self.audience());
        TokenOutcome::of(self.post(url, &fields), url, |response| {
            (400..500).contains(&response.status)
                && response.error_code().as_deref() == Some("invalid_grant")
        })
    }

    /// Returns the form fields that name the resource server, if the profile has one (RFC 8707).
    pub(super) fn audience(&self) -> impl Iterator<Item = Field<'_>> {
        let fields = [("audience", &self.standard.audience), ("resource", &self.standard.resource)];
        fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Revokes a token (RFC 7009) and returns the host that confirmed it.
    pub fn revoke(&self, token: &Secret<String>, token_type_hint: &str) -> Result<String> {
        let url = self.endpoints.revocation.as_deref();
        let url = url.ok_or_else(|| self.no_endpoint("revocation_endpoint"))?;
        let fields = [("token", token.expose().as_str()), ("token_type_hint", token_type_hint)];
        let response = self.post(url, &fields)?;
        let is_revoked = (200..300).contains(&response.status);
        if is_revoked { Ok(host(url).to_owned()) } else { Err(request_error(&response, url)) }
    }
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
    let json = response.json();
    let description = json.as_ref().and_then(|json| json["error_description"].as_str());
    let description = description.map(|text| format!(" ({})", without_secrets(text)));
    let text = response.error(url).text();
    let what = format!("{text}{}", description.unwrap_or_default());
    Error::new(Kind::Configuration, what).hint(hint)
}
