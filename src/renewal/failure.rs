//! What renewals that failed leave for those that come after them.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::HeldLogin;
use crate::storage::login_dir::LoginDir;
use crate::tokens::{Fingerprint, Secret};
use crate::trace::{self, Event};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::thread;
use std::time::Duration;

/// After any failure, no early renewal for this long, in seconds.
const EARLY_PAUSE: i64 = 60;

/// How a renewal failed, for the callers that wait for it and those that come soon after.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub error: Error,
    /// Differs from one failure to the next.
    pub id: String,
    count: u32,
    /// Seconds since the epoch.
    at: i64,
    /// No request is sent before, seconds since the epoch.
    not_before: i64,
}

impl Failure {
    pub fn of(error: &Error, earlier: Option<&Self>) -> Self {
        let count = earlier.map_or(1, |earlier| earlier.count.saturating_add(1));
        // A network comes back at once; a server in trouble needs its time. What only another setting helps
        // against is not asked for again by each caller either.
        let own_pause = match error.kind {
            Kind::Network | Kind::Configuration | Kind::DeviceLoginDisabled => {
                1 << (count - 1).min(5)
            }
            Kind::Server => 1 << (count - 1).min(8),
            _ => 0,
        };
        let asked = error.retry_after.unwrap_or(0).min(3600);
        let pause = asked.max(own_pause).cast_signed();
        let id = format!("{}-{}", clock::timestamp(), std::process::id());
        let at = clock::now();
        Self { error: error.clone(), id, count, at, not_before: at + pause }
    }

    /// Seconds until the next request may be sent.
    pub fn pause_left(&self) -> i64 {
        self.left(self.not_before)
    }

    /// Seconds up to `end`; none where the clock was set back behind the failure itself.
    fn left(&self, end: i64) -> i64 {
        let now = clock::now();
        if now < self.at { 0 } else { (end - now).max(0) }
    }

    /// Keeps to the pause: sleeps through a short one, gives the failure back for a longer one.
    pub fn hold_back(&self) -> Result<()> {
        let pause = Duration::from_secs(self.pause_left().cast_unsigned());
        if !pause.is_zero() {
            trace::tell(|| Event::BackOff { until: self.not_before, failures: self.count });
        }
        if pause > Duration::from_secs(1) {
            let seconds = pause.as_secs();
            let error = self
                .error
                .clone()
                .map_text(|text| format!("{text}; the next try is in {seconds} s"));
            return Err(error.retry_after(Some(pause)));
        }
        thread::sleep(pause);
        Ok(())
    }
}

/// A refresh token that was refused for good, by whom, and the words for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct InvalidToken {
    pub refresh_token: Fingerprint,
    pub url: String,
    pub client_id: String,
    pub reason: String,
}

impl InvalidToken {
    /// `refresh_token`, of `login`, is never sent again, by no host.
    pub fn record(
        profile: &Profile,
        hold: &dyn HeldLogin,
        login: &Login,
        refresh_token: &Secret<String>,
        reason: String,
    ) -> Result<Self> {
        let to = profile.registration_of(login);
        let url = profile.token_endpoint(&to)?;
        let refresh_token = refresh_token.fingerprint();
        let dead = Self { refresh_token, url, client_id: to.client_id, reason };
        profile.storage.login_dir()?.dead().save(&dead)?;
        if let Some(shared) = hold.shared() {
            shared.close_request(Some(&json!(dead)))?;
        }
        Ok(dead)
    }

    pub fn error(&self) -> Error {
        Error::new(Kind::LoginDead, self.reason.clone()).sign_in_again()
    }

    /// What is known of the refresh token of `login`: whether the server that would be asked refused it.
    pub fn of(profile: &Profile, login: &Login) -> Result<Option<Self>> {
        let Some(refresh_token) = &login.refresh_token else { return Ok(None) };
        let to = profile.registration_of(login);
        let url = profile.token_endpoint(&to)?;
        let dead: Option<Self> = profile.storage.login_dir()?.dead().load()?;
        Ok(dead.filter(|dead| {
            dead.refresh_token == refresh_token.fingerprint()
                && dead.url == url
                && dead.client_id == to.client_id
        }))
    }
}

/// Whether early renewal has to wait because the last one failed a moment ago.
pub fn is_held_back(login_dir: &LoginDir) -> bool {
    let failure = login_dir.failure::<Failure>().load().ok().flatten();
    failure
        .is_some_and(|failure| failure.left(failure.not_before.max(failure.at + EARLY_PAUSE)) > 0)
}
