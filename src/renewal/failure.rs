//! What a failed attempt leaves for the next one: its error, and the pause before the next request.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::storage::login_dir::LoginDir;
use crate::storage::records::Failure;
use crate::trace::{self, Event};
use std::thread;
use std::time::Duration;

/// No early renewal for this long after any failure, in seconds.
const EARLY_PAUSE: i64 = 60;

/// In seconds, also where a record says more.
const LONGEST_PAUSE: i64 = 3600;

impl Failure {
    pub fn of(error: &Error, earlier: Option<&Self>) -> Self {
        let count = earlier.map_or(1, |earlier| earlier.count.saturating_add(1));
        // Retry soon after a network error and later after a server error. Pause after a configuration error too, so
        // that callers do not each send a request.
        let own_pause = match error.kind {
            Kind::Network | Kind::Configuration | Kind::DeviceLoginDisabled => {
                1 << (count - 1).min(5)
            }
            Kind::Server => 1 << (count - 1).min(8),
            _ => 0,
        };
        let server_pause = error.retry_after.unwrap_or(0).min(LONGEST_PAUSE.unsigned_abs());
        let pause = server_pause.max(own_pause).cast_signed();
        let id = format!("{}-{}", clock::timestamp(), std::process::id());
        let at = clock::now();
        Self { error: error.clone(), id, count, at, not_before: at + pause }
    }

    /// Returns the seconds until the next request may be sent.
    pub fn pause_left(&self) -> i64 {
        self.seconds_until(self.not_before)
    }

    /// Returns 0 where the clock was set back to before the failure.
    fn seconds_until(&self, end: i64) -> i64 {
        let now = clock::now();
        if now < self.at { 0 } else { end.saturating_sub(now).clamp(0, LONGEST_PAUSE) }
    }

    /// Sleeps through a short pause.
    ///
    /// # Errors
    /// The failure itself, where the pause is longer than a second.
    pub fn wait_or_fail(&self) -> Result<()> {
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

/// Whether an early renewal has to wait because the last renewal failed a moment ago.
pub fn is_held_back(login_dir: &LoginDir) -> bool {
    let failure = login_dir.failure().load().ok().flatten();
    failure.is_some_and(|failure| {
        failure.seconds_until(failure.not_before.max(failure.at.saturating_add(EARLY_PAUSE))) > 0
    })
}
