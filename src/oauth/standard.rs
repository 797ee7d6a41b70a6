//! An authorization server that goes by the standards, and this program as its client.

use crate::client::ClientRegistration;
use crate::client::{Endpoints, Standard};
use crate::error::{Error, Kind, Result};
use crate::oauth::http::{Failure, Field, Http, Response};
use crate::oauth::response::without_secrets;
use crate::oauth::revocation::TypeHint;
use crate::oauth::token::{Outcome, outcome};
use crate::tokens::Secret;
use crate::urls::host;

pub struct Server<'a> {
    pub http: &'a Http,
    pub client: &'a ClientRegistration,
    pub standard: &'a Standard,
    /// What the profile gives and what was discovered, together.
    pub endpoints: Endpoints,
    /// A secret goes into the body, not into the header.
    pub secret_in_body: bool,
}

impl Server<'_> {
    /// Posts a form as this client (RFC 6749, section 2.3).
    pub(super) fn post(&self, url: &str, fields: &[Field]) -> Result<Response, Failure> {
        let client_id = self.client.client_id.as_str();
        let secret = self.standard.secret().map_err(Failure::NotSent)?;
        let mut fields = fields.to_vec();
        // Beside the header, too: some servers look for it in the body alone.
        fields.push(("client_id", client_id));
        match &secret {
            Some(secret) if !self.secret_in_body => {
                return self.http.post_form_as((client_id, secret), url, &fields);
            }
            Some(secret) => fields.push(("client_secret", secret.expose())),
            None => {}
        }
        self.http.post_form(url, &fields)
    }

    pub(super) fn token_endpoint(&self) -> Result<&str> {
        self.endpoints.token.as_deref().ok_or_else(|| self.without("token_endpoint"))
    }

    /// The server does not have it, or does not tell.
    pub(super) fn without(&self, endpoint: &str) -> Error {
        let what = format!("{} does not tell its {endpoint}", host(&self.client.issuer));
        Error::new(Kind::Configuration, what)
            .hint(format!("if it has one, give {endpoint} in the profile"))
    }

    /// Renews by refresh token (RFC 6749, section 6): the scope is the one that was granted.
    pub fn refresh(&self, refresh_token: &Secret<String>) -> Outcome {
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return Outcome::NotProcessed(error),
        };
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose().as_str()),
        ];
        fields.extend(self.meant_for());
        outcome(self.post(url, &fields), url, |reply| match reply.error_code().as_deref() {
            Some("invalid_grant") => (400..500).contains(&reply.status),
            _ => false,
        })
    }

    /// Who the access token is to be for, where the profile says.
    pub(super) fn meant_for(&self) -> impl Iterator<Item = Field<'_>> {
        let named = [("audience", &self.standard.audience), ("resource", &self.standard.resource)];
        named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Ends a login (RFC 7009).
    pub fn revoke(&self, token: &Secret<String>, hint: TypeHint) -> Result<String> {
        let url = self.endpoints.revocation.as_deref();
        let url = url.ok_or_else(|| self.without("revocation_endpoint"))?;
        let fields = [("token", token.expose().as_str()), ("token_type_hint", hint.name())];
        let reply = self.post(url, &fields)?;
        let done = (200..300).contains(&reply.status);
        if done { Ok(host(url).to_owned()) } else { Err(refusal(&reply, url)) }
    }
}

/// Error codes that only another configuration helps against (RFC 6749, section 5.2).
pub(super) fn refusal(reply: &Response, url: &str) -> Error {
    let hint = match reply.error_code().as_deref() {
        Some("invalid_client") => {
            "check client_id, and client_secret_file if the client has a secret"
        }
        Some("unauthorized_client" | "unsupported_grant_type") => {
            return Error::new(
                Kind::DeviceLoginDisabled,
                format!("{} does not allow this client the device login", host(url)),
            )
            .hint(
                "ask its administrator to allow it the device code grant, or use another client_id",
            );
        }
        Some("invalid_scope") => "check scope: the server grants this client another one",
        Some("invalid_target") => "check audience and resource: the server knows others",
        _ => return reply.error(url),
    };
    let described =
        reply.json().and_then(|json| Some(json["error_description"].as_str()?.to_owned()));
    let described =
        described.map(|text| format!(" ({})", without_secrets(&text))).unwrap_or_default();
    let text = reply.error(url).text();
    Error::new(Kind::Configuration, format!("{text}{described}")).hint(hint)
}
