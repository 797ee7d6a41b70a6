//! The authorization server of a profile.

use crate::account::Account;
use crate::account_policy;
use crate::client::{ClientAuth, ClientRegistration, Endpoints};
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::authorization;
use crate::oauth::client_auth::ClientAuthentication;
use crate::oauth::codex;
use crate::oauth::device::PollResponse;
use crate::oauth::discovery::{ServerMetadata, discover};
use crate::oauth::http::Http;
use crate::oauth::id_token::{self, IdTokenError};
use crate::oauth::server::Server;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::pending_sign_in::{AuthorizationCode, DeviceCode, PendingSignIn};
use crate::profile::Profile;
use crate::profile::built_in::CLIENT_ID;
use crate::profile::profile_table::IdTokens;
use crate::tokens::{Secret, TokenResponse};
use crate::urls::host;
use std::cell::OnceCell;

pub struct AuthorizationServer<'a> {
    pub profile: &'a Profile,
    http: Http,
    client_auth: OnceCell<ClientAuthentication>,
    /// The metadata of a standard issuer.
    discovered: OnceCell<ServerMetadata>,
}

/// Whether the issuer signed the ID token for this client.
pub enum IdTokenCheck {
    /// The ID token is valid, or there is none to check.
    ValidOrAbsent,
    /// The issuer publishes no keys, or the profile ignores ID tokens.
    Ignored,
    /// The ID token is invalid, or cannot be checked.
    Refused(IdTokenError),
}

impl<'a> AuthorizationServer<'a> {
    pub fn new(profile: &'a Profile) -> Result<Self> {
        Ok(Self::with(profile, Http::new(&profile.network())?))
    }

    /// As [`AuthorizationServer::new`], for a caller that waits for all requests together until `deadline`.
    pub fn within(profile: &'a Profile, deadline: &Deadline) -> Result<Self> {
        Ok(Self::with(profile, Http::within(&profile.network(), deadline)?))
    }

    fn with(profile: &'a Profile, http: Http) -> Self {
        Self { profile, http, client_auth: OnceCell::new(), discovered: OnceCell::new() }
    }

    /// Discovers the endpoints, before a request that can be sent only once.
    pub fn prepare(&self) -> Result<()> {
        self.server(&self.profile.client).map(drop)
    }

    /// Returns the server that granted a login of `client`.
    ///
    /// # Errors
    /// `Usage` or `Configuration` if no token may be sent to that issuer.
    fn server<'s>(&'s self, client: &'s ClientRegistration) -> Result<Server<'s>> {
        let (profile, http) = (self.profile, &self.http);
        profile.token_endpoint(client)?;
        let Some(standard) = &profile.standard else {
            let endpoints = profile.codex_endpoints(client)?;
            return Ok(Server {
                http,
                client,
                standard: None,
                endpoints,
                client_auth: self
                    .client_auth
                    .get_or_init(|| ClientAuthentication::fixed(ClientAuth::None)),
                supports_pkce: false,
            });
        };
        let mut endpoints = standard.endpoints.clone();
        let (mut client_auth, mut supports_pkce) = (ClientAuth::Basic, false);
        if endpoints.device_authorization_endpoint.is_none() || endpoints.token_endpoint.is_none() {
            let metadata = self.discovered()?;
            endpoints = endpoints.or(metadata.endpoints.clone());
            client_auth = metadata.client_auth();
            supports_pkce = metadata.supports_pkce();
        }
        let client_auth = self.client_auth.get_or_init(|| match standard.client_auth {
            Some(method) => ClientAuthentication::fixed(method),
            None => ClientAuthentication::starting_with(client_auth),
        });
        let standard = Some(standard);
        Ok(Server { http, client, standard, endpoints, client_auth, supports_pkce })
    }

    fn discovered(&self) -> Result<&ServerMetadata> {
        if let Some(discovered) = self.discovered.get() {
            return Ok(discovered);
        }
        let discovered = discover(&self.http, &self.profile.client.issuer)?;
        Ok(self.discovered.get_or_init(|| discovered))
    }

    /// Returns the endpoints, and the URL of the metadata that names them.
    pub fn endpoints(&self) -> Result<(Endpoints, Option<&str>)> {
        let endpoints = self.server(&self.profile.client)?.endpoints;
        Ok((endpoints, self.discovered.get().map(|discovered| discovered.url.as_str())))
    }

    /// Returns the HTTP status of a page, without a token.
    pub fn status_of(&self, url: &str) -> Result<u16> {
        Ok(self.http.get(url)?.status)
    }

    /// Returns the method of client authentication, and whether the server refused another one, after a request.
    pub fn client_auth(&self) -> Option<(ClientAuth, bool)> {
        self.client_auth.get().map(|auth| (auth.method(), auth.has_changed()))
    }

    /// Returns the signatures of the server's ID tokens, if its metadata lists them and this program supports none.
    pub fn unsupported_id_tokens(&self) -> Option<String> {
        self.discovered.get()?.unsupported_id_tokens()
    }

    /// Whether the server's metadata lists PKCE.
    pub fn lists_pkce(&self) -> bool {
        self.discovered.get().is_some_and(ServerMetadata::supports_pkce)
    }

    /// Starts a device authorization.
    pub fn start(&self) -> Result<PendingSignIn> {
        self.server(&self.profile.client)?.start()
    }

    pub fn poll(&self, request: &DeviceCode, user_code: &str) -> PollResponse {
        let server = self.server(&self.profile.client);
        server.map_or(PollResponse::Unavailable, |server| server.poll(request, user_code))
    }

    /// Whether the server returns the tokens to one poll only.
    pub fn returns_tokens_once(&self) -> bool {
        self.profile.standard.is_some()
    }

    /// Returns the addresses that a browser may bring its answer to, in order of preference.
    pub fn redirect_uris(&self) -> Vec<String> {
        let configured = self.profile.standard.as_ref().and_then(|it| it.redirect_uri.clone());
        match configured {
            Some(uri) => vec![uri.into()],
            None if self.profile.client.client_id == CLIENT_ID => codex::redirect_uris(),
            None => vec!["http://127.0.0.1/callback".into()],
        }
    }

    /// Starts an authorization request that a browser answers at `redirect_uri`.
    ///
    /// # Errors
    /// `Configuration` if the server has no authorization endpoint that answers with a code.
    pub fn start_in_browser(&self, redirect_uri: String) -> Result<PendingSignIn> {
        let mut server = self.server(&self.profile.client)?;
        if server.standard.is_some() && server.endpoints.authorization_endpoint.is_none() {
            server.endpoints = server.endpoints.or(self.discovered()?.endpoints.clone());
        }
        let metadata = self.discovered.get();
        if metadata.is_some_and(|metadata| !metadata.supports_code()) {
            let what = format!("{} does not sign in with a browser", host(&server.client.issuer));
            return Err(Error::new(Kind::Configuration, what)
                .run("to sign in with a device code", "codex-credential login"));
        }
        let requires_iss = metadata.is_some_and(ServerMetadata::answers_iss);
        let workspace = account_policy::only_workspace(self.profile)?;
        authorization::start(&server, redirect_uri, requires_iss, workspace.as_deref())
    }

    pub fn exchange(&self, pending: &PendingSignIn, code: &AuthorizationCode) -> TokenOutcome {
        match self.server(&self.profile.client) {
            Ok(server) => server.exchange(pending, code),
            Err(error) => TokenOutcome::NotProcessed(error),
        }
    }

    pub fn refresh(&self, to: &ClientRegistration, refresh_token: &Secret<String>) -> TokenOutcome {
        match self.server(to) {
            Ok(server) => server.refresh(refresh_token),
            Err(error) => TokenOutcome::NotProcessed(error),
        }
    }

    /// Revokes the refresh token, else the access token. Returns the host that was asked.
    pub fn revoke(&self, login: &Login) -> Result<String> {
        let (token, hint) = match &login.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&*login.access_token, "access_token"),
        };
        self.server(&self.profile.registration_of(login)?)?.revoke(token, hint)
    }

    /// Asks the issuer who signed in, where no ID token says it.
    ///
    /// # Errors
    /// Why the issuer did not answer.
    pub fn account(&self, tokens: &TokenResponse) -> Result<Option<Account>> {
        let (None, Some(token)) = (&tokens.id_token, &tokens.access_token) else { return Ok(None) };
        let Some(url) = self.endpoints()?.0.userinfo_endpoint else { return Ok(None) };
        let reply = self.http.get_with_token(token, None, &url)?;
        match reply.status {
            200 => Ok(reply.json().map(|claims| Account::from_userinfo(&claims))),
            // There is none, or the scope does not cover it.
            _ if reply.is_refusal() => Ok(None),
            _ => Err(reply.error(&url)),
        }
    }

    /// Checks the ID token of a token response to a request with this nonce, if it had one.
    ///
    /// # Errors
    /// Why the issuer's keys cannot be had now.
    pub fn check_id_token(
        &self,
        tokens: &TokenResponse,
        nonce: Option<&str>,
    ) -> Result<IdTokenCheck> {
        let (Some(_), Some(token)) = (&self.profile.standard, &tokens.id_token) else {
            return Ok(IdTokenCheck::ValidOrAbsent);
        };
        if self.profile.settings.id_token == Some(IdTokens::Ignore) {
            return Ok(IdTokenCheck::Ignored);
        }
        let Some(url) = self.endpoints()?.0.jwks_uri else {
            return Ok(IdTokenCheck::Ignored);
        };
        let Some(keys) = id_token::keys(&self.http, &url)? else {
            return Ok(IdTokenCheck::Ignored);
        };
        Ok(match id_token::verify(token, &self.profile.client, &keys, tokens.skew, nonce) {
            Ok(()) => IdTokenCheck::ValidOrAbsent,
            Err(error) => IdTokenCheck::Refused(error),
        })
    }
}
