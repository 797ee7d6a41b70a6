//! One device login, as a record that outlives the process that polls for it, and the pace of polling.

use crate::client::ClientRegistration;
use crate::error::{Error, Kind};
use crate::tokens::{Secret, TokenResponse};
use crate::verification::Verification;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A device login that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceAuthorization {
    pub issuer: String,
    pub client_id: String,
    pub device_code: Secret<String>,
    #[serde(flatten)]
    pub verification: Verification,
    /// Between two polls, in seconds.
    pub interval: u64,
    /// Nobody can be answered without it. A person may also sign in anew while the old login still works.
    pub is_needed: bool,
    /// What the approval brought: from here on the code must be exchanged, not polled for again.
    #[serde(default)]
    pub approval: Option<AuthorizationCode>,
}

impl DeviceAuthorization {
    /// Whether a renewal for this issuer and client can go on with it, at `now` (seconds since the epoch).
    pub fn is_usable(&self, at: &ClientRegistration, now: i64) -> bool {
        self.issuer == at.issuer
            && self.client_id == at.client_id
            && self.verification.expires_at > now
    }
}

/// The authorization code of an approved login, with its PKCE verifier (RFC 7636).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationCode {
    pub authorization_code: Secret<String>,
    pub code_verifier: Secret<String>,
}

/// Whether a person could read it off a line and type it.
pub(super) fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && !code.contains(char::is_control)
        && code.trim().len() == code.len()
}

/// What one poll brought.
#[derive(Debug)]
pub enum Poll {
    DeviceAuthorization,
    /// An authorization code, which is to be exchanged (auth.openai.com).
    Approved(AuthorizationCode),
    /// The tokens themselves (RFC 8628).
    Granted(TokenResponse),
    /// They were granted and did not arrive: asking again may end what was granted.
    Lost(Error),
    /// The end: denied, expired, or not understood.
    Refused(Error),
    /// The server knows the code no more. If an earlier answer did not arrive, that was a success.
    Gone(Error),
    /// For good (RFC 8628, section 3.5).
    SlowDown,
    /// 429, with the pause that the server asked for.
    TooFast(Option<Duration>),
    /// 5xx, or nothing sent: the code is as good as before.
    Trouble,
    /// Sent, and not answered.
    Unknown,
}

/// What to do after a poll.
#[derive(Debug)]
pub enum Step {
    Wait(Duration),
    Approved(AuthorizationCode),
    Granted(TokenResponse),
    Refused(Error),
}

/// How often to poll. Trouble doubles the pause, up to a minute, until an answer comes.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: Duration,
    pause: Duration,
    /// A poll was sent whose answer is not known.
    has_unknown: bool,
}

/// RFC 8628, section 3.5.
const SLOW_DOWN: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// In seconds. No code lives longer.
const LONGEST_INTERVAL: u64 = 24 * 3600;

impl Pace {
    /// `interval` in seconds; never without a pause, whatever the server says.
    pub fn new(interval: u64) -> Self {
        let interval = Duration::from_secs(interval.clamp(1, LONGEST_INTERVAL));
        Self { interval, pause: interval, has_unknown: false }
    }

    /// An earlier process was killed while it polled.
    pub fn after_unknown(self) -> Self {
        Self { has_unknown: true, ..self }
    }

    fn back_off(&self) -> Duration {
        self.pause.saturating_mul(2).min(LONGEST_PAUSE.max(self.interval))
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// One step of the polling, by the answer alone.
    pub fn next_step(&mut self, poll: Poll) -> Step {
        self.pause = match poll {
            Poll::Approved(approval) => return Step::Approved(approval),
            Poll::Granted(tokens) => return Step::Granted(tokens),
            Poll::Lost(error) => return Step::Refused(lost(&error)),
            Poll::Gone(error) if self.has_unknown => return Step::Refused(lost(&error)),
            Poll::Refused(error) | Poll::Gone(error) => return Step::Refused(error),
            Poll::DeviceAuthorization => self.interval,
            Poll::SlowDown => {
                self.interval += SLOW_DOWN;
                self.interval
            }
            Poll::TooFast(Some(pause)) => pause.max(self.interval),
            Poll::Unknown => {
                self.has_unknown = true;
                self.back_off()
            }
            Poll::TooFast(None) | Poll::Trouble => self.back_off(),
        };
        Step::Wait(self.pause)
    }
}

fn lost(error: &Error) -> Error {
    let what = format!(
        "the sign-in was approved, but the token response did not arrive ({})",
        error.text()
    );
    Error::new(Kind::LoginRequired, what).sign_in_again()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(pace: &mut Pace, poll: Poll) -> u64 {
        match pace.next_step(poll) {
            Step::Wait(pause) => pause.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn trouble_backs_off_and_an_answer_brings_the_interval_back() {
        let mut pace = Pace::new(5);
        assert_eq!(pause(&mut pace, Poll::DeviceAuthorization), 5);
        assert_eq!(pause(&mut pace, Poll::Trouble), 10);
        assert_eq!(pause(&mut pace, Poll::TooFast(None)), 20);
        assert_eq!(pause(&mut pace, Poll::TooFast(Some(Duration::from_secs(7)))), 7);
        assert_eq!(pause(&mut pace, Poll::TooFast(Some(Duration::ZERO))), 5);
        assert_eq!(pause(&mut pace, Poll::DeviceAuthorization), 5);
        for _ in 0..10 {
            pause(&mut pace, Poll::Trouble);
        }
        assert_eq!(pause(&mut pace, Poll::Trouble), 60);
    }

    #[test]
    fn slow_down_is_for_good() {
        let mut pace = Pace::new(5);
        assert_eq!(pause(&mut pace, Poll::SlowDown), 10);
        assert_eq!(pause(&mut pace, Poll::DeviceAuthorization), 10);
        assert_eq!(pause(&mut pace, Poll::SlowDown), 15);
        assert_eq!(pause(&mut pace, Poll::Unknown), 30);
        assert_eq!(pause(&mut pace, Poll::DeviceAuthorization), 15);
    }

    #[test]
    fn a_code_that_is_gone_after_an_answer_was_lost_was_approved() {
        let gone = || Poll::Gone(Error::new(Kind::LoginExpired, "gone"));
        let kind = |pace: &mut Pace, poll| match pace.next_step(poll) {
            Step::Refused(error) => error.kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(&mut Pace::new(5), gone()), Kind::LoginExpired);
        assert_eq!(kind(&mut Pace::new(5).after_unknown(), gone()), Kind::LoginRequired);
        let mut pace = Pace::new(5);
        pace.next_step(Poll::Unknown);
        assert_eq!(kind(&mut pace, gone()), Kind::LoginRequired);
    }

    #[test]
    fn an_absurd_interval_or_pause_is_not_taken_at_its_word() {
        assert_eq!(pause(&mut Pace::new(0), Poll::DeviceAuthorization), 1);
        let mut pace = Pace::new(u64::MAX);
        for poll in [Poll::Trouble, Poll::SlowDown, Poll::TooFast(Some(Duration::MAX))] {
            pause(&mut pace, poll);
        }
        assert_eq!(pause(&mut pace, Poll::Trouble), LONGEST_INTERVAL + 5);
    }
}
