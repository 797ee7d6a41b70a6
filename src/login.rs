//! A login, as every storage keeps it, and the lifetime of its access token.

use crate::account::{Account, Claims};
use crate::client::ClientRegistration;
use crate::clock;
use crate::lifetime::Lifetime;
use crate::tokens::{Fingerprint, Secret, TokenResponse};
use std::cell::OnceCell;
use std::ops::Deref;

/// A token with its claims, which are read once, on first use.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret<String>,
    claims: OnceCell<Box<Claims>>,
}

impl Token {
    /// Returns the claims; an opaque token has none.
    pub fn claims(&self) -> &Claims {
        let read = || Claims::from_jwt(self.text.expose()).unwrap_or_default();
        self.claims.get_or_init(|| Box::new(read()))
    }
}

impl From<Secret<String>> for Token {
    fn from(text: Secret<String>) -> Self {
        Self { text, claims: OnceCell::new() }
    }
}

impl Deref for Token {
    type Target = Secret<String>;

    fn deref(&self) -> &Self::Target {
        &self.text
    }
}

/// The tokens of one sign-in.
#[derive(Clone, Debug)]
pub struct Login {
    pub access_token: Token,
    pub refresh_token: Option<Secret<String>>,
    pub id_token: Option<Token>,
    /// The account as the storage recorded it. It overrides the claims of the tokens.
    pub stored_account: Account,
    /// When the tokens were last renewed, seconds since the epoch.
    pub last_refresh: Option<i64>,
    /// The access token's lifetime from the token response, seconds since the epoch. The token's own claims override it.
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// Seconds that the server's clock is ahead of this machine's.
    pub skew: i64,
    /// The client registration that the login was granted to, if it was recorded.
    pub registration: Option<ClientRegistration>,
}

impl Login {
    /// Creates a login from a token response. Returns `None` if the response has no access token.
    pub fn from_response(tokens: &TokenResponse, client: &ClientRegistration) -> Option<Self> {
        Some(Self {
            access_token: tokens.access_token.clone()?.into(),
            refresh_token: tokens.refresh_token.clone(),
            id_token: tokens.id_token.clone().map(Token::from),
            stored_account: tokens.account.clone().unwrap_or_default(),
            last_refresh: None,
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
            skew: significant_skew(tokens.skew),
            registration: Some(client.clone()),
        })
    }

    /// Returns the tokens in the form of a token response, to store them elsewhere.
    pub fn tokens(&self) -> TokenResponse {
        TokenResponse {
            access_token: Some(self.access_token.text.clone()),
            refresh_token: self.refresh_token.clone(),
            id_token: self.id_token.as_ref().map(|token| token.text.clone()),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            skew: Some(self.skew),
            account: Some(self.stored_account.clone()),
        }
    }

    /// Returns the fingerprint of the refresh token, or of the access token if there is no refresh token.
    pub fn fingerprint(&self) -> Fingerprint {
        self.refresh_token.as_ref().unwrap_or(&self.access_token).fingerprint()
    }

    /// Returns a value that changes with every renewal, even if the refresh token stays the same.
    pub fn version(&self) -> (Fingerprint, Fingerprint) {
        (self.fingerprint(), self.access_token.fingerprint())
    }

    /// Returns the lifetime of the access token by this machine's clock. The token's own claims use the server's clock.
    /// The lifetime of the ID token does not matter here.
    pub fn lifetime(&self) -> Lifetime {
        let claims = self.access_token.claims();
        let by_our_clock = |at: Option<i64>| at.map(|at| at.saturating_sub(self.skew));
        let issued_at = by_our_clock(claims.iat).or(self.issued_at).or(self.last_refresh);
        let expires_at = by_our_clock(claims.exp).or(self.expires_at);
        Lifetime {
            issued_at: issued_at.map(clock::within_calendar),
            expires_at: expires_at.map(clock::within_calendar),
        }
    }

    pub fn username(&self) -> String {
        self.account().username().to_owned()
    }

    pub fn account(&self) -> Account {
        self.stored_account.clone().or(self.account_in_tokens())
    }

    /// Returns the account that the tokens claim, without what the storage recorded.
    pub fn account_in_tokens(&self) -> Account {
        let claimed = |token: &Token| token.claims().account.clone();
        let id_account = self.id_token.as_ref().map(claimed).unwrap_or_default();
        id_account.or(claimed(&self.access_token))
    }

    /// See [`Lifetime::renew_at`]. The jitter is the last byte of the signature: random, and equal in every process that
    /// reads this token.
    pub fn renew_at(&self) -> Option<i64> {
        let jitter = self.access_token.expose().bytes().last().unwrap_or(0);
        self.lifetime().renew_at(jitter)
    }
}

/// Returns the clock skew in seconds, or 0 up to 30 seconds: a slow response looks the same.
pub fn significant_skew(skew: Option<i64>) -> i64 {
    skew.filter(|skew| skew.unsigned_abs() > 30).unwrap_or(0)
}
