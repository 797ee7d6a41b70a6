//! The authorization server of a profile, in the dialect that it speaks.

use crate::account::Account;
use crate::client::ClientRegistration;
use crate::client::{Endpoints, Standard};
use crate::clock;
use crate::device_authorization::{AuthorizationCode, DeviceAuthorization};
use crate::error::Result;
use crate::login::Login;
use crate::oauth::codex;
use crate::oauth::device::PollResponse;
use crate::oauth::discovery::{CachedMetadata, discover};
use crate::oauth::http::Http;
use crate::oauth::id_token;
use crate::oauth::standard::StandardServer;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::profile::Profile;
use crate::storage::records::Record;
use crate::tokens::{Secret, TokenResponse};
use crate::urls::host;
use std::cell::OnceCell;

pub struct AuthorizationServer<'a> {
    pub profile: &'a Profile,
    http: Http,
    /// The metadata of a standard issuer.
    discovered: OnceCell<CachedMetadata>,
}

/// Whether an ID token is the issuer's.
pub enum Identity {
    /// It is, or there is no ID token.
    Good,
    /// The issuer publishes no keys.
    Unproven,
    /// It is not, and why.
    False(String),
}

impl<'a> AuthorizationServer<'a> {
    pub fn new(profile: &'a Profile) -> Result<Self> {
        let http = Http::new(profile.extra_ca.as_deref())?;
        Ok(Self { profile, http, discovered: OnceCell::new() })
    }

    /// Discovers the endpoints, before a request that can be sent only once.
    pub fn prepare(&self) -> Result<()> {
        self.profile.as_standard().map_or(Ok(()), |standard| self.server(standard).map(drop))
    }

    fn server<'s>(&'s self, standard: &'s Standard) -> Result<StandardServer<'s>> {
        let given = &standard.endpoints;
        let client = &self.profile.client;
        let (found, secret_in_body) =
            if given.device_authorization.is_some() && given.token.is_some() {
                (Endpoints::default(), false)
            } else {
                let metadata = &self.discovered()?.metadata;
                (metadata.endpoints.clone(), metadata.needs_secret_in_body())
            };
        let or = |given: &Option<_>, found: Option<_>| given.clone().or(found);
        let endpoints = Endpoints {
            device_authorization: or(&given.device_authorization, found.device_authorization),
            token: or(&given.token, found.token),
            revocation: or(&given.revocation, found.revocation),
            jwks: or(&given.jwks, found.jwks),
            userinfo: or(&given.userinfo, found.userinfo),
        };
        Ok(StandardServer { http: &self.http, client, standard, endpoints, secret_in_body })
    }

    /// Returns the recorded metadata while it is fresh.
    fn discovered(&self) -> Result<&CachedMetadata> {
        if let Some(discovered) = self.discovered.get() {
            return Ok(discovered);
        }
        let record: Record<CachedMetadata> =
            Record::new(self.profile.storage.sign_in_dir().metadata());
        let known = record.load()?;
        let issuer = &self.profile.client.issuer;
        let discovered = match known {
            Some(known) if known.is_fresh(clock::now()) && known.is_for(issuer) => known,
            known => {
                let discovered = discover(&self.http, issuer, known)?;
                // Without a record the next process asks again.
                let _ = record.save(&discovered);
                discovered
            }
        };
        Ok(self.discovered.get_or_init(|| discovered))
    }

    /// Returns the endpoints, and the URL of the metadata that names them.
    pub fn endpoints(&self) -> Result<(Endpoints, Option<&str>)> {
        let Some(standard) = self.profile.as_standard() else {
            return Ok((Endpoints::default(), None));
        };
        let endpoints = self.server(standard)?.endpoints;
        Ok((endpoints, self.discovered.get().map(|discovered| discovered.url.as_str())))
    }

    /// Starts a device authorization.
    pub fn start(&self) -> Result<DeviceAuthorization> {
        match self.profile.as_standard() {
            None => codex::start(&self.http, &self.profile.client),
            Some(standard) => self.server(standard)?.start(),
        }
    }

    pub fn poll(&self, pending: &DeviceAuthorization) -> PollResponse {
        match self.profile.as_standard() {
            None => codex::poll(&self.http, pending),
            Some(standard) => match self.server(standard) {
                Ok(server) => server.poll(pending),
                Err(_) => PollResponse::Unavailable,
            },
        }
    }

    /// Whether only one poll is answered with success.
    pub fn polls_once(&self) -> bool {
        self.profile.as_standard().is_some()
    }

    pub fn exchange(
        &self,
        pending: &DeviceAuthorization,
        approval: &AuthorizationCode,
    ) -> TokenOutcome {
        codex::exchange(&self.http, pending, approval)
    }

    pub fn refresh(&self, to: &ClientRegistration, refresh_token: &Secret<String>) -> TokenOutcome {
        let outcome = match self.profile.as_standard() {
            None => self
                .profile
                .token_endpoint(to)
                .map(|url| codex::refresh(&self.http, &url, &to.client_id, refresh_token)),
            Some(standard) => self.server(standard).map(|server| server.refresh(refresh_token)),
        };
        outcome.unwrap_or_else(TokenOutcome::NotProcessed)
    }

    /// Revokes the refresh token, else the access token. Returns the host that was asked.
    pub fn revoke(&self, login: &Login) -> Result<String> {
        let (token, hint) = match &login.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&*login.access_token, "access_token"),
        };
        let granted_by = self.profile.registration_of(login);
        if let Some(standard) = self.profile.as_standard() {
            return self.server(standard)?.revoke(token, hint);
        }
        let url = self.profile.revocation_endpoint(&granted_by)?;
        codex::revoke(&self.http, &url, &granted_by.client_id, token, hint)?;
        Ok(host(&url).to_owned())
    }

    /// Asks the issuer who signed in, where no ID token says it.
    ///
    /// # Errors
    /// Why the issuer did not answer.
    pub fn account(&self, tokens: &TokenResponse) -> Result<Option<Account>> {
        let (Some(standard), None, Some(token)) =
            (self.profile.as_standard(), &tokens.id_token, &tokens.access_token)
        else {
            return Ok(None);
        };
        let Some(url) = self.server(standard)?.endpoints.userinfo else { return Ok(None) };
        let reply = self.http.get_with_token(token, &url)?;
        match reply.status {
            200 => Ok(reply.json().map(|claims| Account::from_claims(&claims))),
            // The scope does not cover it.
            401 | 403 => Ok(None),
            _ => Err(reply.error(&url)),
        }
    }

    /// Checks the ID token of a token response.
    ///
    /// # Errors
    /// Why the issuer's keys cannot be had now.
    pub fn identity(&self, tokens: &TokenResponse) -> Result<Identity> {
        let (Some(standard), Some(token)) = (self.profile.as_standard(), &tokens.id_token) else {
            return Ok(Identity::Good);
        };
        let Some(url) = self.server(standard)?.endpoints.jwks else {
            return Ok(Identity::Unproven);
        };
        let keys = id_token::keys(&self.http, &url)?;
        Ok(match id_token::verify(token, &self.profile.client, &keys, tokens.skew) {
            Ok(()) => Identity::Good,
            Err(why) => Identity::False(why),
        })
    }
}
