//! An authorization server, and this program as its client.
//!
//! auth.openai.com takes JSON where the RFCs have forms, and has its own steps of a device authorization, see
//! [`crate::oauth::codex`].

use crate::client::{ClientAuth, ClientRegistration, Endpoints, Standard};
use crate::error::{Error, Kind, Result};
use crate::oauth::client_auth::ClientAuthentication;
use crate::oauth::codex;
use crate::oauth::device::{CODE_LIFETIME, PollResponse, device_authorization};
use crate::oauth::http::{Field, Http, RequestError, Response};
use crate::oauth::pkce::{METHOD, Pkce};
use crate::oauth::standard;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::pending_sign_in::{AuthorizationCode, DeviceCode, PendingSignIn, SignInRequest};
use crate::tokens::Secret;
use crate::urls::host;
use crate::values::EndpointUrl;

/// The longest lifetime of a device code we accept, in seconds.
const LONGEST_LIFETIME: u64 = 24 * 3600;

pub struct Server<'a> {
    pub http: &'a Http,
    pub client: &'a ClientRegistration,
    /// What to request of a server that follows the RFCs; `None` for auth.openai.com.
    pub standard: Option<&'a Standard>,
    pub endpoints: Endpoints,
    pub client_auth: &'a ClientAuthentication,
    /// Whether the server is known to support PKCE (RFC 7636).
    pub supports_pkce: bool,
}

impl Server<'_> {
    /// Posts parameters, with client authentication (RFC 6749 §2.3.1).
    fn post(&self, url: &str, fields: &[Field]) -> Result<Response, RequestError> {
        let client_id = self.client.client_id.as_str();
        // Some servers look for the client id only in the body, even if the header has it.
        let mut fields = [fields, &[("client_id", client_id)]].concat();
        let Some(standard) = self.standard else { return self.http.post_json(url, &fields) };
        let secret = match self.client_auth.method() {
            ClientAuth::None => None,
            _ => standard.secret().map_err(RequestError::NotSent)?,
        };
        let Some(secret) = secret else { return self.http.post_form(url, &fields, None) };
        fields.push(("client_secret", secret.expose()));
        let without_secret = &fields[..fields.len() - 1];
        let send = |method| match method {
            ClientAuth::Post => self.http.post_form(url, &fields, None),
            _ => self.http.post_form(url, without_secret, Some((client_id, &secret))),
        };
        let refusal = send(self.client_auth.method())?;
        if !standard::refuses_client(&refusal) {
            return Ok(refusal);
        }
        // A server that refuses the client has not looked at what else was sent.
        let Some(other) = self.client_auth.other() else { return Ok(refusal) };
        let response = send(other)?;
        if standard::refuses_client(&response) {
            return Ok(refusal);
        }
        self.client_auth.change_to(other);
        Ok(response)
    }

    /// Adds the parameters of the profile that the request does not have yet.
    pub(super) fn add_parameters<'f>(&'f self, fields: &mut Vec<Field<'f>>) {
        for parameter in self.standard.iter().flat_map(|standard| &standard.parameters) {
            if fields.iter().all(|(name, _)| *name != &*parameter.name) {
                fields.push((&parameter.name, &parameter.value));
            }
        }
    }

    fn endpoint<'e>(&self, name: &str, endpoint: Option<&'e EndpointUrl>) -> Result<&'e str> {
        endpoint.map(|url| &**url).ok_or_else(|| {
            let what = format!("{} does not publish its {name}", host(&self.client.issuer));
            Error::new(Kind::Configuration, what)
                .hint(format!("if the server has one, set {name} in the profile"))
        })
    }

    fn token_endpoint(&self) -> Result<&str> {
        self.endpoint("token_endpoint", self.endpoints.token_endpoint.as_ref())
    }

    /// Returns the URL of the page of an authorization request, without its parameters.
    pub(super) fn authorization_endpoint(&self) -> Result<&str> {
        self.endpoint("authorization_endpoint", self.endpoints.authorization_endpoint.as_ref())
    }

    /// Returns the parameters that name the resource server, if the profile has one (RFC 8707).
    pub(super) fn audience(&self) -> impl Iterator<Item = Field<'_>> {
        let fields = self
            .standard
            .map(|standard| [("audience", &standard.audience), ("resource", &standard.resource)]);
        fields.into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_deref()?)))
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
        self.add_parameters(&mut fields);
        let is_final = match self.standard {
            None => codex::is_invalid_refresh_token,
            Some(_) => standard::is_invalid_grant,
        };
        TokenOutcome::of(self.post(url, &fields), is_final, |response| self.error(response, url))
    }

    /// Exchanges the authorization code of an approved sign-in (RFC 6749 §4.1.3, with PKCE).
    pub fn exchange(&self, pending: &PendingSignIn, code: &AuthorizationCode) -> TokenOutcome {
        let device_redirect_uri = codex::device_redirect_uri(&self.client.issuer);
        let redirect_uri = match &pending.request {
            Some(SignInRequest::Browser(request)) => &request.redirect_uri,
            _ => &device_redirect_uri,
        };
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.authorization_code.expose().as_str()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", code.code_verifier.expose()),
        ];
        let Some(standard) = self.standard else {
            return codex::exchange(self.http, self.client, &fields);
        };
        let url = match self.token_endpoint() {
            Ok(url) => url,
            Err(error) => return TokenOutcome::NotProcessed(error),
        };
        // RFC 8707 §2.2.
        fields.extend(standard.resource.as_deref().map(|value| ("resource", value)));
        self.add_parameters(&mut fields);
        TokenOutcome::of(self.post(url, &fields), standard::is_invalid_grant, |response| {
            self.error(response, url)
        })
    }

    /// Revokes a token (RFC 7009) and returns the host that confirmed it.
    pub fn revoke(&self, token: &Secret<String>, token_type_hint: &str) -> Result<String> {
        let url =
            self.endpoint("revocation_endpoint", self.endpoints.revocation_endpoint.as_ref())?;
        let fields = [("token", token.expose().as_str()), ("token_type_hint", token_type_hint)];
        let response = self.post(url, &fields)?;
        if response.is_success() {
            Ok(host(url).to_owned())
        } else {
            Err(self.error(&response, url))
        }
    }

    fn error(&self, response: &Response, url: &str) -> Error {
        match self.standard {
            None => response.error(url),
            Some(_) => standard::error(response, url),
        }
    }

    /// Requests a device code and a user code (RFC 8628 §3.1).
    ///
    /// # Errors
    /// `DeviceLoginDisabled` if the server does not offer device authorization to this client.
    pub fn start(&self) -> Result<PendingSignIn> {
        let endpoint = self.endpoints.device_authorization_endpoint.as_ref();
        let url =
            self.endpoint("device_authorization_endpoint", endpoint).map_err(|mut error| {
                error.kind = Kind::DeviceLoginDisabled;
                error
            })?;
        self.token_endpoint()?;
        let scope = self.standard.and_then(|standard| standard.scope.as_deref());
        let scope = scope.map(|scope| ("scope", scope));
        let mut fields: Vec<_> = scope.into_iter().chain(self.audience()).collect();
        self.add_parameters(&mut fields);
        let mut pkce = self.supports_pkce.then(Pkce::new).transpose()?;
        let mut response = self.post_challenge(url, &fields, pkce.as_ref())?;
        if self.standard.is_some() && standard::is_about_pkce(&response) {
            pkce = if pkce.is_some() { None } else { Some(Pkce::new()?) };
            response = self.post_challenge(url, &fields, pkce.as_ref())?;
        }
        let (page, longest_lifetime) = match self.standard {
            None => (Some(codex::verification_page(&self.client.issuer)), CODE_LIFETIME),
            Some(_) => (None, LONGEST_LIFETIME),
        };
        if response.is_success() {
            let verifier = pkce.map(|pkce| pkce.code_verifier);
            return device_authorization(
                self.client,
                &response,
                url,
                page,
                longest_lifetime,
                verifier,
            );
        }
        Err(match self.standard {
            None => codex::start_error(&response, url),
            Some(_) => standard::device_error(&response, url),
        })
    }

    /// Posts the parameters of an authorization with its PKCE challenge (RFC 7636 §4.3).
    fn post_challenge(
        &self,
        url: &str,
        fields: &[Field],
        pkce: Option<&Pkce>,
    ) -> Result<Response, RequestError> {
        let challenge = pkce.map(|pkce| {
            [("code_challenge", pkce.code_challenge.as_str()), ("code_challenge_method", METHOD)]
        });
        self.post(url, &[fields, challenge.as_ref().map_or(&[], |fields| &fields[..])].concat())
    }

    /// Asks once whether the user has approved (RFC 8628 §3.4).
    pub fn poll(&self, request: &DeviceCode, user_code: &str) -> PollResponse {
        if self.standard.is_none() {
            return codex::poll(self.http, &self.client.issuer, request, user_code);
        }
        match self.token_endpoint() {
            Ok(url) => {
                let device_code = request.device_code.expose();
                let mut fields =
                    vec![("grant_type", standard::DEVICE_CODE), ("device_code", device_code)];
                let verifier = request.code_verifier.as_ref();
                fields.extend(verifier.map(|verifier| ("code_verifier", &**verifier.expose())));
                self.add_parameters(&mut fields);
                standard::poll_response(self.post(url, &fields), url)
            }
            Err(error) => PollResponse::Failed(error),
        }
    }
}
