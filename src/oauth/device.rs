//! The responses to a poll for a device authorization, and the pace of polling (RFC 8628).

use crate::device_authorization::AuthorizationCode;
use crate::error::{Error, Kind};
use crate::tokens::TokenResponse;
use std::time::Duration;

/// Whether `code` fits on one line of a terminal and in a one-line error.
pub(super) fn is_user_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && !code.contains(char::is_control)
        && code.trim().len() == code.len()
}

/// What one poll led to (RFC 8628 §3.5).
#[derive(Debug)]
pub enum PollResponse {
    /// `authorization_pending`
    AuthorizationPending,
    /// The user approved: an authorization code to exchange (auth.openai.com).
    AuthorizationCode(AuthorizationCode),
    /// The user approved: the tokens (RFC 8628).
    Tokens(TokenResponse),
    /// The user approved, but the tokens did not arrive. Another poll could make the server revoke them.
    TokensLost(Error),
    /// Denied, expired or not understood: polling ends.
    Failed(Error),
    /// The server does not know the device code. If the response to an earlier poll was lost, that poll succeeded.
    UnknownCode(Error),
    /// `slow_down`
    SlowDown,
    /// Status 429, with the pause of `Retry-After`.
    TooManyRequests(Option<Duration>),
    /// The poll was not sent, or the server failed (5xx). The device code stays valid.
    Unavailable,
    /// The poll was sent, and no response arrived.
    NoResponse,
}

/// What to do after a poll.
#[derive(Debug)]
pub enum PollStep {
    Wait(Duration),
    Exchange(AuthorizationCode),
    Store(TokenResponse),
    Fail(Error),
}

/// The pace of polling. Each failed poll doubles the pause, up to a minute, until the server responds.
#[derive(Clone, Debug)]
pub struct Polling {
    interval: Duration,
    pause: Duration,
    /// A poll was sent whose response is not known.
    has_unknown: bool,
}

/// RFC 8628 §3.5: `slow_down` adds 5 seconds for this and all later polls.
const SLOW_DOWN: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// In seconds. No device code lives longer.
const LONGEST_INTERVAL: u64 = 24 * 3600;

impl Polling {
    /// Starts polling every `interval` seconds, at least one and at most a day.
    pub fn new(interval: u64) -> Self {
        let interval = Duration::from_secs(interval.clamp(1, LONGEST_INTERVAL));
        Self { interval, pause: interval, has_unknown: false }
    }

    /// Continues after a process that was killed while it polled.
    pub fn after_unknown(self) -> Self {
        Self { has_unknown: true, ..self }
    }

    fn back_off(&self) -> Duration {
        self.pause.saturating_mul(2).min(LONGEST_PAUSE.max(self.interval))
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Decides what follows a poll. Sends nothing and does not wait.
    pub fn next_step(&mut self, response: PollResponse) -> PollStep {
        self.pause = match response {
            PollResponse::AuthorizationCode(code) => return PollStep::Exchange(code),
            PollResponse::Tokens(tokens) => return PollStep::Store(tokens),
            PollResponse::TokensLost(error) => return PollStep::Fail(lost(&error)),
            PollResponse::UnknownCode(error) if self.has_unknown => {
                return PollStep::Fail(lost(&error));
            }
            PollResponse::Failed(error) | PollResponse::UnknownCode(error) => {
                return PollStep::Fail(error);
            }
            PollResponse::AuthorizationPending => self.interval,
            PollResponse::SlowDown => {
                self.interval += SLOW_DOWN;
                self.interval
            }
            PollResponse::TooManyRequests(Some(pause)) => pause.max(self.interval),
            PollResponse::NoResponse => {
                self.has_unknown = true;
                self.back_off()
            }
            PollResponse::TooManyRequests(None) | PollResponse::Unavailable => self.back_off(),
        };
        PollStep::Wait(self.pause)
    }
}

fn lost(error: &Error) -> Error {
    let what = format!(
        "the sign-in was approved, but the token response did not arrive ({})",
        error.text()
    );
    Error::new(Kind::LoginRequired, what).sign_in_again()
}

pub(super) fn denied() -> Error {
    Error::new(Kind::Denied, "the sign-in was denied in the browser")
        .run("to try again", "codex-credential login")
}

pub fn expired() -> Error {
    Error::new(Kind::LoginExpired, "the device code expired before it was approved")
        .run("to get a new one", "codex-credential login")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(polling: &mut Polling, response: PollResponse) -> u64 {
        match polling.next_step(response) {
            PollStep::Wait(pause) => pause.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn failed_polls_double_the_pause_until_the_server_responds() {
        let mut polling = Polling::new(5);
        assert_eq!(pause(&mut polling, PollResponse::AuthorizationPending), 5);
        assert_eq!(pause(&mut polling, PollResponse::Unavailable), 10);
        assert_eq!(pause(&mut polling, PollResponse::TooManyRequests(None)), 20);
        let seven = Some(Duration::from_secs(7));
        assert_eq!(pause(&mut polling, PollResponse::TooManyRequests(seven)), 7);
        assert_eq!(pause(&mut polling, PollResponse::TooManyRequests(Some(Duration::ZERO))), 5);
        assert_eq!(pause(&mut polling, PollResponse::AuthorizationPending), 5);
        for _ in 0..10 {
            pause(&mut polling, PollResponse::Unavailable);
        }
        assert_eq!(pause(&mut polling, PollResponse::Unavailable), 60);
    }

    #[test]
    fn slow_down_lengthens_all_later_intervals() {
        let mut polling = Polling::new(5);
        assert_eq!(pause(&mut polling, PollResponse::SlowDown), 10);
        assert_eq!(pause(&mut polling, PollResponse::AuthorizationPending), 10);
        assert_eq!(pause(&mut polling, PollResponse::SlowDown), 15);
        assert_eq!(pause(&mut polling, PollResponse::NoResponse), 30);
        assert_eq!(pause(&mut polling, PollResponse::AuthorizationPending), 15);
    }

    #[test]
    fn unknown_code_after_a_lost_response_means_the_tokens_were_lost() {
        let unknown = || PollResponse::UnknownCode(Error::new(Kind::LoginExpired, "unknown"));
        let kind = |polling: &mut Polling, response| match polling.next_step(response) {
            PollStep::Fail(error) => error.kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(&mut Polling::new(5), unknown()), Kind::LoginExpired);
        assert_eq!(kind(&mut Polling::new(5).after_unknown(), unknown()), Kind::LoginRequired);
        let mut polling = Polling::new(5);
        polling.next_step(PollResponse::NoResponse);
        assert_eq!(kind(&mut polling, unknown()), Kind::LoginRequired);
    }

    #[test]
    fn interval_of_the_server_is_kept_between_a_second_and_a_day() {
        assert_eq!(pause(&mut Polling::new(0), PollResponse::AuthorizationPending), 1);
        let mut polling = Polling::new(u64::MAX);
        let endless = PollResponse::TooManyRequests(Some(Duration::MAX));
        for response in [PollResponse::Unavailable, PollResponse::SlowDown, endless] {
            pause(&mut polling, response);
        }
        assert_eq!(pause(&mut polling, PollResponse::Unavailable), LONGEST_INTERVAL + 5);
    }
}
