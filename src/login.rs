//! A login as every storage keeps it, and how long it is good for.

use crate::account::{Account, Claims};
use crate::client::ClientRegistration;
use crate::clock::{self, Moment};
use crate::tokens::{Fingerprint, Secret, TokenResponse};
use std::cell::OnceCell;
use std::ops::Deref;

/// A token of a login, with what it claims: that is read when somebody asks for it, and once.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret<String>,
    claims: OnceCell<Box<Claims>>,
}

impl Token {
    /// One that was read earlier.
    pub fn read(text: Secret<String>, claims: Claims) -> Self {
        Self { text, claims: Box::new(claims).into() }
    }

    /// Nothing where the token is opaque.
    pub fn claims(&self) -> &Claims {
        let read = || Claims::of(self.text.expose()).unwrap_or_default();
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
    /// What the storage knows of the account: it goes before what the tokens claim.
    pub recorded: Account,
    /// When the tokens were last renewed.
    pub last_refresh: Option<Moment>,
    /// The access token's life as it was told beside it, seconds since the epoch; what it says itself goes before.
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// How far the server's clock is ahead of this machine's, in seconds.
    pub skew: i64,
    pub provenance: Option<ClientRegistration>,
}

impl Login {
    /// What a sign-in brought; `None` without an access token.
    pub fn granted(tokens: &TokenResponse, by: &ClientRegistration) -> Option<Self> {
        Some(Self {
            access_token: tokens.access_token.clone()?.into(),
            refresh_token: tokens.refresh_token.clone(),
            id_token: tokens.id_token.clone().map(Token::from),
            recorded: tokens.account.clone().unwrap_or_default(),
            last_refresh: None,
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
            skew: notable(tokens.skew),
            provenance: Some(by.clone()),
        })
    }

    /// The tokens, as the server might have granted them just now.
    pub fn tokens(&self) -> TokenResponse {
        TokenResponse {
            access_token: Some(self.access_token.text.clone()),
            refresh_token: self.refresh_token.clone(),
            id_token: self.id_token.as_ref().map(|token| token.text.clone()),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            skew: Some(self.skew),
            account: Some(self.recorded.clone()),
        }
    }

    /// Which credential this is, without showing it: the refresh token's fingerprint, else the access token's.
    pub fn fingerprint(&self) -> Fingerprint {
        self.refresh_token.as_ref().unwrap_or(&self.access_token).fingerprint()
    }

    /// Changes with every renewal, also where the refresh token stays the same.
    pub fn version(&self) -> (Fingerprint, Fingerprint) {
        (self.fingerprint(), self.access_token.fingerprint())
    }

    /// How long the access token lives, by this machine's clock; what the token says itself is by the server's.
    /// (Never judged by the id token: that one lives an hour.)
    pub fn lifetime(&self) -> Lifetime {
        let claims = self.access_token.claims();
        let here = |there: Option<i64>| there.map(|at| at.saturating_sub(self.skew));
        let last_refresh = || self.last_refresh.as_ref().and_then(Moment::seconds);
        let issued_at = here(claims.iat).or(self.issued_at).or_else(last_refresh);
        let expires_at = here(claims.exp).or(self.expires_at);
        Lifetime {
            issued_at: issued_at.map(clock::within_calendar),
            expires_at: expires_at.map(clock::within_calendar),
        }
    }

    /// The account's user name. Mostly the id token alone tells it.
    pub fn username(&self) -> String {
        let known = self.recorded.clone().or(self.id_account());
        let account = if known.email.is_some() { known } else { self.account() };
        account.username().to_owned()
    }

    pub fn account(&self) -> Account {
        self.recorded.clone().or(self.claimed_account())
    }

    /// By the tokens alone.
    pub fn claimed_account(&self) -> Account {
        self.id_account().or(self.access_token.claims().account.clone())
    }

    fn id_account(&self) -> Account {
        self.id_token.as_ref().map(|token| token.claims().account.clone()).unwrap_or_default()
    }
}

/// What a `Date` tells of two clocks, in seconds; as much as a slow answer takes is nothing.
pub fn notable(skew: Option<i64>) -> i64 {
    skew.filter(|skew| skew.unsigned_abs() > 30).unwrap_or(0)
}

/// The life of an access token, in seconds since the epoch. A token that does not say when it ends is taken
/// for valid until it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub issued_at: Option<i64>,
    pub expires_at: Option<i64>,
}

/// No renewal begins earlier than this before the end, in seconds: a day, so that one caller a day is enough, and an
/// hour, so that the last of them still comes before Codex begins to refresh by itself, 5 minutes before the end.
const EARLIEST: i64 = 25 * 3600;

impl Lifetime {
    fn length(&self) -> Option<i64> {
        Some(self.expires_at?.saturating_sub(self.issued_at?).max(0))
    }

    /// Whether the token is good for `min_validity` seconds more; never asks for more than half of its life, so
    /// that tokens of 20 s can be used.
    pub fn covers(&self, min_validity: i64, now: i64) -> bool {
        let Some(end) = self.expires_at else { return true };
        let asked = self.length().map_or(min_validity, |length| min_validity.min(length / 2));
        end > now && end.saturating_sub(now) >= asked
    }

    /// When an early renewal is due: the greater of 10 minutes and a fifth of the life before the end, at most
    /// 25 hours before it and never in the first half. `jitter` (0 to 255) moves it up to a tenth of that earlier.
    /// Seconds since the epoch.
    pub fn renew_at(&self, jitter: u8) -> Option<i64> {
        let (end, length) = (self.expires_at?, self.length()?);
        let ahead = (length / 5).clamp(600, EARLIEST);
        let ahead = ahead + ahead * i64::from(jitter) / 2550;
        Some(end.saturating_sub(ahead.min(EARLIEST).min(length / 2)))
    }
}

impl Login {
    /// The signature's last byte: random, and the same for every process that sees this token.
    fn jitter(&self) -> u8 {
        self.access_token.expose().bytes().last().unwrap_or(0)
    }

    /// See [`Lifetime::renew_at`].
    pub fn renew_at(&self) -> Option<i64> {
        self.lifetime().renew_at(self.jitter())
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
    fn a_token_covers_what_is_left_of_it() {
        let token = lifetime(10 * DAY);
        assert!(token.covers(300, 10 * DAY - 300));
        assert!(!token.covers(300, 10 * DAY - 299));
        assert!(!token.covers(0, 10 * DAY), "expired now is expired");
    }

    #[test]
    fn min_validity_never_asks_for_more_than_half_of_a_life() {
        let token = lifetime(20);
        assert!(token.covers(300, 10));
        assert!(!token.covers(300, 11));
    }

    #[test]
    fn a_token_without_an_end_is_good_until_refused() {
        assert!(Lifetime { issued_at: None, expires_at: None }.covers(300, i64::MAX));
    }

    #[test]
    fn renewal_is_due_a_day_and_an_hour_before_at_most_and_never_in_the_first_half() {
        assert_eq!(lifetime(10 * DAY).renew_at(0), Some(9 * DAY - 3600));
        assert_eq!(lifetime(10 * DAY).renew_at(255), Some(9 * DAY - 3600), "jitter keeps to it");
        assert_eq!(lifetime(3600).renew_at(0), Some(3600 - 720));
        assert_eq!(lifetime(3600).renew_at(255), Some(3600 - 792));
        assert_eq!(lifetime(20).renew_at(0), Some(10));
    }

    /// Codex refreshes by itself 5 minutes before the end.
    #[test]
    fn one_caller_a_day_keeps_the_token_out_of_codexs_window() {
        let token = lifetime(10 * DAY);
        let due = token.renew_at(0).unwrap();
        for first_call in 0..DAY {
            let calls = (0..).map(|day| first_call + day * DAY);
            let renewed = calls.into_iter().find(|call| *call >= due).unwrap();
            assert!(renewed < 10 * DAY - 300, "first called at {first_call}");
        }
    }
}
