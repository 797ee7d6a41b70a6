//! A login, as every storage keeps it, and the lifetime of its access token.

use crate::account::{Account, Claims};
use crate::client::ClientRegistration;
use crate::clock;
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

/// The lifetime of an access token, in seconds since the epoch. A token without an expiry is valid until the resource
/// server rejects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
}

/// The earliest early renewal, in seconds before expiry: a day, so that one caller a day is enough, and an hour, so that
/// this caller comes before Codex refreshes by itself, which it does 5 minutes before expiry.
const EARLIEST: i64 = 25 * 3600;

impl Lifetime {
    fn length(&self) -> Option<i64> {
        Some(self.expires_at?.saturating_sub(self.issued_at?).max(0))
    }

    /// Whether the token is valid for `min_validity` more seconds. At most half of its lifetime is required, so that
    /// short-lived tokens can be used.
    pub fn covers(&self, min_validity: i64, now: i64) -> bool {
        let Some(end) = self.expires_at else { return true };
        let required = self.length().map_or(min_validity, |length| min_validity.min(length / 2));
        end > now && end.saturating_sub(now) >= required
    }

    /// Returns when an early renewal is due, in seconds since the epoch: a fifth of the lifetime before expiry, at least
    /// 10 minutes, at most 25 hours, and never in the first half. `jitter` makes that up to a tenth longer.
    pub fn renew_at(&self, jitter: u8) -> Option<i64> {
        let (end, length) = (self.expires_at?, self.length()?);
        let ahead = (length / 5).clamp(600, EARLIEST);
        let ahead = ahead + ahead * i64::from(jitter) / 2550;
        Some(end.saturating_sub(ahead.min(EARLIEST).min(length / 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn lifetime(length: i64) -> Lifetime {
        Lifetime { issued_at: Some(0), expires_at: Some(length) }
    }

    #[test]
    fn token_covers_its_remaining_lifetime() {
        let token = lifetime(10 * DAY);
        assert!(token.covers(300, 10 * DAY - 300));
        assert!(!token.covers(300, 10 * DAY - 299));
        assert!(!token.covers(0, 10 * DAY), "a token that expires now is expired");
    }

    #[test]
    fn min_validity_requires_at_most_half_of_the_lifetime() {
        let token = lifetime(20);
        assert!(token.covers(300, 10));
        assert!(!token.covers(300, 11));
    }

    #[test]
    fn token_without_an_expiry_is_valid() {
        assert!(Lifetime { issued_at: None, expires_at: None }.covers(300, i64::MAX));
    }

    #[test]
    fn early_renewal_is_due_at_most_25_hours_before_expiry_and_never_in_the_first_half() {
        assert_eq!(lifetime(10 * DAY).renew_at(0), Some(9 * DAY - 3600));
        assert_eq!(
            lifetime(10 * DAY).renew_at(255),
            Some(9 * DAY - 3600),
            "jitter does not exceed 25 hours"
        );
        assert_eq!(lifetime(3600).renew_at(0), Some(3600 - 720));
        assert_eq!(lifetime(3600).renew_at(255), Some(3600 - 792));
        assert_eq!(lifetime(20).renew_at(0), Some(10));
    }

    /// Codex refreshes by itself 5 minutes before expiry.
    #[test]
    fn one_caller_a_day_renews_before_codex_does() {
        let token = lifetime(10 * DAY);
        let due = token.renew_at(0).unwrap();
        for first_call in 0..DAY {
            let calls = (0..).map(|day| first_call + day * DAY);
            let renewed = calls.into_iter().find(|call| *call >= due).unwrap();
            assert!(renewed < 10 * DAY - 300, "first called at {first_call}");
        }
    }
}
