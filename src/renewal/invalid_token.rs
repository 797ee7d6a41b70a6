//! Remembers refresh tokens that are never sent again: the one that was refused for good, and those that were used up by a
//! renewal. A backup or an account switcher may put one of them back, and the server may end every copy of the login when it
//! sees the token a second time.

use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::HeldLogin;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::{InvalidToken, Refusals};
use crate::tokens::{Secret, TokenResponse};
use std::time::Duration;

/// How many used tokens are remembered: those of years.
const MAX_SPENT: usize = 100;

impl InvalidToken {
    /// Records that `refresh_token` of `login` was refused for good. No host sends it again.
    pub fn record_refused(
        profile: &Profile,
        login_dir: &LoginDir,
        hold: &dyn HeldLogin,
        login: &Login,
        refresh_token: &Secret<String>,
        reason: String,
    ) -> Result<Self> {
        let client = profile.registration_of(login)?;
        let url = profile.token_endpoint(&client)?;
        let refresh_token = refresh_token.fingerprint();
        let invalid = Self { refresh_token, url, client_id: client.client_id, reason };
        login_dir.invalid_token().save(&invalid)?;
        hold.close_request(Some(&invalid))?;
        Ok(invalid)
    }

    /// Records that the answer of a refresh request with `used` has arrived. A server that returns no other refresh token
    /// lets it be used again.
    pub fn record_spent(login_dir: &LoginDir, used: &Secret<String>, tokens: &TokenResponse) {
        if let Some(new) = tokens.refresh_token.as_ref().filter(|new| *new != used) {
            Self::remember(login_dir, used, Some(new));
        }
    }

    /// Records that a server knows `used` and does not accept it any more.
    pub fn record_used(login_dir: &LoginDir, used: &Secret<String>) {
        Self::remember(login_dir, used, None);
    }

    /// Errors are ignored: the record is a precaution, and must not keep an answer from being stored. A server may grant an
    /// earlier token again.
    fn remember(login_dir: &LoginDir, used: &Secret<String>, granted: Option<&Secret<String>>) {
        let spent = login_dir.spent_tokens().load().ok().flatten().unwrap_or_default();
        let used = used.fingerprint();
        let granted = granted.map(Secret::fingerprint);
        let others =
            spent.into_iter().filter(|token| *token != used && Some(token) != granted.as_ref());
        let spent: Vec<_> = [used.clone()].into_iter().chain(others).take(MAX_SPENT).collect();
        let _ = login_dir.spent_tokens().save(&spent);
    }

    pub fn error(&self) -> Error {
        Error::new(Kind::LoginDead, self.reason.clone()).sign_in_again()
    }

    /// Returns why the refresh token of `login` must not be sent. A refusal counts only for the server that refused.
    pub fn of(profile: &Profile, login: &Login) -> Result<Option<Self>> {
        let Some(refresh_token) = &login.refresh_token else { return Ok(None) };
        let client = profile.registration_of(login)?;
        let url = profile.token_endpoint(&client)?;
        let Some(login_dir) = profile.storage.login_dir()? else { return Ok(None) };
        let spent = login_dir.spent_tokens().load()?.unwrap_or_default();
        if spent.contains(&refresh_token.fingerprint()) {
            let reason =
                "the stored login is an older copy: its refresh token has been used already".into();
            return Ok(Some(Self {
                refresh_token: refresh_token.fingerprint(),
                url,
                client_id: client.client_id,
                reason,
            }));
        }
        let invalid = login_dir.invalid_token().load()?;
        Ok(invalid.filter(|invalid| {
            invalid.refresh_token == refresh_token.fingerprint()
                && invalid.url == url
                && invalid.client_id == client.client_id
        }))
    }
}

/// After this many refusals without a known reason, the user is asked to sign in.
const REFUSALS: u32 = 3;

/// Until the refresh token is sent again after that.
const REFUSED_PAUSE: Duration = Duration::from_secs(256);

impl Refusals {
    /// Counts a refusal of `refresh_token` that does not say whether it is for good. Returns the error to report.
    pub fn count(login_dir: &LoginDir, refresh_token: &Secret<String>, error: Error) -> Error {
        let refresh_token = refresh_token.fingerprint();
        let earlier = login_dir.refusals().load().ok().flatten();
        let earlier = earlier.filter(|refusals| refusals.refresh_token == refresh_token);
        let count = earlier.map_or(0, |refusals| refusals.count).saturating_add(1);
        let _ = login_dir.refusals().save(&Self { refresh_token, count });
        if count < REFUSALS {
            return error.run("if this goes on, sign in again", "codex-credential login");
        }
        let what = format!("the renewal was refused {count} times in a row: {}", error.text());
        Error::new(Kind::LoginDead, what).sign_in_again().retry_after(Some(REFUSED_PAUSE))
    }
}
