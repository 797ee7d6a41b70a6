//! One device login, as a record that outlives the process that polls for it, and the pace of polling.

use crate::error::{Error, Prompt};
use crate::login::Provenance;
use crate::tokens::Secret;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A device login that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    pub issuer: String,
    pub client_id: String,
    pub device_code: Secret<String>,
    #[serde(flatten)]
    pub prompt: Prompt,
    /// Between two polls, in seconds.
    pub interval: u64,
    /// Nobody can be answered without it. A person may also sign in anew while the old login still works.
    pub is_needed: bool,
    /// What the approval brought: from here on the code must be exchanged, not polled for again.
    #[serde(default)]
    pub approval: Option<Approval>,
}

impl Pending {
    /// Whether a renewal for this issuer and client can go on with it.
    pub fn is_usable(&self, at: &Provenance, now: i64) -> bool {
        self.issuer == at.issuer && self.client_id == at.client_id && self.prompt.expires_at > now
    }
}

/// The authorization code of an approved login, with its PKCE verifier (RFC 7636).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Approval {
    pub authorization_code: Secret<String>,
    pub code_verifier: Secret<String>,
}

/// What one poll brought.
#[derive(Debug)]
pub enum Poll {
    Pending,
    Approved(Approval),
    /// The end: denied, expired, or not understood.
    Refused(Error),
    /// 429, with the pause that the server asked for.
    TooFast(Option<Duration>),
    /// 5xx, or no answer: the code is as good as before.
    Trouble,
}

/// What to do after a poll.
#[derive(Debug)]
pub enum Step {
    Wait(Duration),
    Approved(Approval),
    Refused(Error),
}

/// How often to poll. Trouble doubles the pause, up to a minute, until an answer comes.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: Duration,
    pause: Duration,
}

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Pace {
    /// RFC 8628, section 3.2: 5 seconds where the server names no interval; never without a pause.
    pub fn new(interval: u64) -> Self {
        let interval = Duration::from_secs(interval.max(1));
        Self { interval, pause: interval }
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// One step of the polling, by the answer alone.
    pub fn next_step(&mut self, poll: Poll) -> Step {
        self.pause = match poll {
            Poll::Approved(approval) => return Step::Approved(approval),
            Poll::Refused(error) => return Step::Refused(error),
            Poll::Pending => self.interval,
            Poll::TooFast(Some(pause)) => pause.max(self.interval),
            Poll::TooFast(None) | Poll::Trouble => (self.pause * 2).min(LONGEST_PAUSE),
        };
        Step::Wait(self.pause)
    }
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
        assert_eq!(pause(&mut pace, Poll::Pending), 5);
        assert_eq!(pause(&mut pace, Poll::Trouble), 10);
        assert_eq!(pause(&mut pace, Poll::TooFast(None)), 20);
        assert_eq!(pause(&mut pace, Poll::TooFast(Some(Duration::from_secs(7)))), 7);
        assert_eq!(pause(&mut pace, Poll::TooFast(Some(Duration::ZERO))), 5);
        assert_eq!(pause(&mut pace, Poll::Pending), 5);
        for _ in 0..10 {
            pause(&mut pace, Poll::Trouble);
        }
        assert_eq!(pause(&mut pace, Poll::Trouble), 60);
    }

    #[test]
    fn an_interval_of_zero_is_not_taken_at_its_word() {
        assert_eq!(pause(&mut Pace::new(0), Poll::Pending), 1);
    }
}
