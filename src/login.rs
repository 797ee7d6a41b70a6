//! A login, as every storage keeps it, and the lifetime of its access token.

use crate::account::{Account, Claims};
use crate::client::ClientRegistration;
use crate::clock;
use crate::lifetime::Lifetime;
use crate::tokens::{Fingerprint, Secret, TokenResponse, is_valid_token, valid_token};
use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize};
use std::cell::OnceCell;
use std::ops::Deref;

/// A token with its claims, which are read once, on first use.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token {
    text: Secret<String>,
    #[serde(skip)]
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

/// Which token of a login is handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// the access token
    #[default]
    #[value(name = "access", alias = "access_token")]
    AccessToken,
    /// the ID token, for Kubernetes and other servers that take one
    #[value(name = "id", alias = "id_token")]
    IdToken,
}

/// The tokens of one sign-in. Its JSON is how storages of our own keep it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    #[serde(deserialize_with = "valid_access_token")]
    pub access_token: Token,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Token>,
    /// Whether the last renewal brought no ID token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub id_token_is_old: bool,
    /// The account as the storage recorded it. It overrides the claims of the tokens.
    #[serde(rename = "account")]
    pub stored_account: Account,
    /// When the tokens were last renewed, seconds since the epoch.
    pub last_refresh: Option<i64>,
    /// The access token's lifetime from the token response, seconds since the epoch. Where the token claims another expiry,
    /// the earlier one counts.
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// Seconds that the server's clock is ahead of this machine's.
    pub skew: i64,
    /// When the sign-in began, seconds since the epoch; 0 if it was not recorded.
    pub signed_in_at: i64,
    /// The client registration that the login was granted to, if it was recorded.
    #[serde(deserialize_with = "Option::deserialize")]
    pub registration: Option<ClientRegistration>,
}

impl Login {
    /// Creates a login from a token response. Returns `None` if the response has no access token.
    pub fn from_response(tokens: &TokenResponse, client: &ClientRegistration) -> Option<Self> {
        Some(Self {
            access_token: tokens.access_token.clone()?.into(),
            refresh_token: tokens.refresh_token.clone(),
            id_token: tokens.id_token.clone().map(Token::from),
            id_token_is_old: false,
            stored_account: tokens.account.clone().unwrap_or_default(),
            last_refresh: None,
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
            skew: significant_skew(tokens.skew),
            signed_in_at: 0,
            registration: Some(client.clone()),
        })
    }

    /// Returns the login as it is stored after a sign-in that began at `at`.
    pub fn signed_in(self, at: i64) -> Self {
        let last_refresh = Some(clock::now());
        Self { stored_account: self.account(), last_refresh, signed_in_at: at, ..self }
    }

    /// Returns the login with the tokens of a renewal. Members that the token response lacks keep their values.
    pub fn renewed(mut self, tokens: &TokenResponse) -> Self {
        if let Some(token) = &tokens.access_token {
            self.access_token = token.clone().into();
            (self.issued_at, self.expires_at) = (tokens.issued_at, tokens.expires_at);
        }
        self.refresh_token = tokens.refresh_token.clone().or(self.refresh_token);
        self.id_token_is_old = tokens.id_token.is_none();
        self.id_token = tokens.id_token.clone().map(Token::from).or(self.id_token);
        self.last_refresh = Some(clock::now());
        self.skew = tokens.skew.map_or(self.skew, |skew| significant_skew(Some(skew)));
        self
    }

    /// Returns the login with the token to hand out, and its lifetime, in place of the access token. `None` if it has no such
    /// token.
    pub fn handing_out(self, kind: TokenKind) -> Option<Self> {
        if kind == TokenKind::AccessToken {
            return Some(self);
        }
        let access_token = self.id_token.clone().filter(|token| is_valid_token(token.expose()))?;
        Some(Self { access_token, issued_at: None, expires_at: None, ..self })
    }

    /// Whether `fingerprint` is of the access token or the ID token.
    pub fn has_token(&self, fingerprint: &Fingerprint) -> bool {
        let tokens = [Some(&self.access_token), self.id_token.as_ref()];
        tokens.into_iter().flatten().any(|token| token.fingerprint() == *fingerprint)
    }

    /// Returns what may lie outside the keyring: everything but the refresh token and the ID token.
    pub fn without_long_lived(self) -> Self {
        Self { refresh_token: None, id_token: None, ..self }
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
        let ends = [by_our_clock(claims.exp), self.expires_at];
        let expires_at = ends.into_iter().flatten().min();
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

    /// See [`Lifetime::renew_at`]. Without an expiry, the token counts as valid for eight days, as Codex renews it. The jitter is the last byte of the signature: random, and equal in every process that
    /// reads this token.
    pub fn renew_at(&self) -> Option<i64> {
        let jitter = self.access_token.expose().bytes().last().unwrap_or(0);
        let mut lifetime = self.lifetime();
        if lifetime.expires_at.is_none() && self.refresh_token.is_some() {
            lifetime.issued_at = self.last_refresh.map(clock::within_calendar);
            lifetime.expires_at = lifetime.issued_at.map(|at| at + UNKNOWN_LIFETIME);
        }
        lifetime.renew_at(jitter)
    }

    /// Whether more than half of the time between [`Login::renew_at`] and expiry is over.
    pub fn is_renewal_late(&self, now: i64) -> bool {
        let (due, end) = (self.renew_at(), self.lifetime().expires_at);
        due.zip(end).is_some_and(|(due, end)| now.saturating_sub(due) >= end.saturating_sub(now))
    }
}

/// After how many seconds Codex renews an access token that does not say when it expires.
const UNKNOWN_LIFETIME: i64 = 8 * 24 * 3600;

fn valid_access_token<'de, D: Deserializer<'de>>(from: D) -> Result<Token, D::Error> {
    valid_token(from).map(|text: Secret<String>| text.into())
}

/// The most seconds that a server's clock may be behind: more than any wrong time zone.
pub const FURTHEST_BEHIND: i64 = 24 * 3600;

/// Returns the clock skew in seconds, or 0 up to 30 seconds: a slow response looks the same. Also 0 for a clock that is days
/// behind, which would make a token last longer than it claims.
pub fn significant_skew(skew: Option<i64>) -> i64 {
    skew.filter(|skew| skew.unsigned_abs() > 30 && *skew >= -FURTHEST_BEHIND).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn renewal_keeps_what_the_token_response_lacks() {
        let stored = json!({
            "access_token": "a", "refresh_token": "r", "id_token": "i", "issued_at": 1, "expires_at": 2,
            "last_refresh": 1, "skew": 60, "signed_in_at": 1, "account": {"email": "e"},
            "registration": {"issuer": "https://i", "client_id": "c"},
        });
        let mut expected = stored.clone();
        let tokens = TokenResponse {
            access_token: Some("b".into()),
            expires_at: Some(9),
            ..TokenResponse::default()
        };
        let login: Login = serde_json::from_value(stored).unwrap();
        let login = login.renewed(&tokens);
        assert!(login.last_refresh > Some(1));
        expected["access_token"] = json!("b");
        expected["id_token_is_old"] = json!(true);
        expected["issued_at"] = json!(null);
        expected["expires_at"] = json!(9);
        expected["last_refresh"] = json!(login.last_refresh);
        assert_eq!(json!(login), expected);
    }
}
