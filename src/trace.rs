//! Traces each step: as text on stderr (`-v`), and as JSON lines in a file (`CODEX_CREDENTIAL_TRACE`).
//!
//! [`Event`] lists everything that can be traced. Its fields cannot hold a [`Secret`](crate::tokens::Secret).

use crate::clock::{self, Stopwatch};
use crate::error::Kind;
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write, stderr};
use std::path::Path;
use std::sync::OnceLock;

/// One line of a trace. Times are seconds since the epoch; `ms` is milliseconds.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The profile that answers a request, and what the request's host stands for.
    Profile {
        profile: &'a str,
        storage: &'a str,
        host: Option<Cow<'a, str>>,
        target: Target,
    },
    /// The stored login, as a `get` finds it.
    Login {
        state: State,
        expires_at: Option<i64>,
        renews_at: Option<i64>,
    },
    /// Another process holds a lock that we need.
    LockWait {
        path: Cow<'a, str>,
        holder: Option<String>,
    },
    LockGained {
        path: Cow<'a, str>,
        ms: u64,
    },
    /// A renewal process was started.
    RenewalStarted {
        /// Its process id.
        process: u32,
        goal: &'a str,
    },
    RenewalEnded {
        failure: Option<Kind>,
    },
    /// A request to the authorization server. `path` has no query, and `status` is absent without a response.
    Request {
        method: &'a str,
        host: &'a str,
        path: &'a str,
        status: Option<u16>,
        ms: u64,
    },
    /// A request to one node of etcd.
    Etcd {
        operation: &'a str,
        endpoint: &'a str,
        succeeded: bool,
        ms: u64,
    },
    Journal {
        step: JournalStep,
    },
    /// `stored` is false if another login was stored in the meantime.
    Commit {
        what: &'a str,
        stored: bool,
    },
    /// After failures, no request is sent before `until`.
    BackOff {
        until: i64,
        failures: u32,
    },
    /// A device authorization waits for the user.
    DeviceAuthorization {
        /// Whether another process started it.
        joined: bool,
        expires_at: i64,
    },
}

/// What the host of a request stands for.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Token,
    ApiKey,
    OtherHosts,
    Nothing,
}

impl Target {
    fn text(self) -> &'static str {
        match self {
            Self::Token => "a token",
            Self::ApiKey => "an API key",
            Self::OtherHosts => "a credential that git stored with us",
            Self::Nothing => "no credential",
        }
    }
}

/// The state of the stored login.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Valid for as long as the caller asks.
    Warm,
    /// Valid, and its early renewal is due.
    Due,
    /// Must be renewed before it can be used.
    Stale,
}

/// A change of the journal.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalStep {
    Intent,
    Answer,
    Cleared,
    /// A killed renewal left an answer, which is committed.
    AnswerFound,
    /// A killed renewal left an intent without an answer.
    IntentFound,
}

struct Outputs {
    stderr: bool,
    file: Option<File>,
}

static OUTPUTS: OnceLock<Outputs> = OnceLock::new();

/// Starts tracing for the rest of this process.
///
/// # Errors
/// If `file` cannot be opened. Tracing to stderr starts regardless.
pub fn start(verbose: bool, file: Option<&Path>) -> io::Result<()> {
    let opened = file.map(open).transpose();
    let (file, result) = match opened {
        Ok(file) => (file, Ok(())),
        Err(error) => (None, Err(error)),
    };
    if verbose || file.is_some() {
        // Only the first start counts.
        let _ = OUTPUTS.set(Outputs { stderr: verbose, file });
    }
    result
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether this process traces to stderr.
pub fn is_verbose() -> bool {
    OUTPUTS.get().is_some_and(|outputs| outputs.stderr)
}

/// Traces an event. `event` runs only if tracing is on.
pub fn tell<'a>(event: impl FnOnce() -> Event<'a>) {
    if let Some(outputs) = OUTPUTS.get() {
        outputs.write(&event());
    }
}

/// Starts measuring the duration of an event, if tracing is on.
pub fn stopwatch() -> Option<Stopwatch> {
    OUTPUTS.get().map(|_| Stopwatch::start())
}

/// Returns the milliseconds since [`stopwatch`].
pub fn ms(stopwatch: Option<&Stopwatch>) -> u64 {
    stopwatch.map_or(0, Stopwatch::ms)
}

impl Outputs {
    /// Writes each line at once, so that lines of several processes do not mix. Write errors are ignored.
    fn write(&self, event: &Event) {
        if self.stderr {
            let text = event.to_string().replace(char::is_control, "?");
            let _ = stderr().write_all(format!("codex-credential: {text}\n").as_bytes());
        }
        if let Some(mut file) = self.file.as_ref() {
            let mut line =
                json!({ "at": clock::timestamp().to_string(), "pid": std::process::id() });
            if let (Some(line), Ok(event)) = (line.as_object_mut(), serde_json::to_value(event)) {
                line.extend(event.as_object().cloned().unwrap_or_default());
            }
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { profile, storage, host, target } => {
                write!(f, "profile {profile}, storage {storage}: ")?;
                match host {
                    Some(host) => write!(f, "a request for {host} gets {}", target.text()),
                    None => write!(f, "a request without a host gets {}", target.text()),
                }
            }
            Self::Login { state, expires_at, .. } => {
                let what = match state {
                    State::Warm => "the stored token is valid",
                    State::Due => "the stored token is valid, and its early renewal is due",
                    State::Stale => "no stored token is valid for as long as the caller asks",
                };
                f.write_str(what)?;
                expires_at.map_or(Ok(()), |end| write!(f, " (expires at {})", clock::rfc3339(end)))
            }
            Self::LockWait { path, holder } => {
                write!(
                    f,
                    "waiting for {} to release the lock {path}",
                    holder.as_deref().unwrap_or("another process")
                )
            }
            Self::LockGained { path, ms } => write!(f, "got the lock {path} after {ms} ms"),
            Self::RenewalStarted { process, goal } => {
                write!(f, "started the renewal process {process} to get {goal}")
            }
            Self::RenewalEnded { failure: None } => f.write_str("the renewal process succeeded"),
            Self::RenewalEnded { failure: Some(kind) } => {
                write!(f, "the renewal process failed ({})", kind.name())
            }
            Self::Request { method, host, path, status, ms } => {
                write!(f, "{method} {host}{path}: ")?;
                match status {
                    Some(status) => write!(f, "{status} in {ms} ms"),
                    None => write!(f, "no answer in {ms} ms"),
                }
            }
            Self::Etcd { operation, endpoint, succeeded, ms } => {
                let result = if *succeeded { "succeeded" } else { "failed" };
                write!(f, "etcd {operation} at {endpoint}: {result} in {ms} ms")
            }
            Self::Journal { step } => f.write_str(match step {
                JournalStep::Intent => "recorded the request in the journal",
                JournalStep::Answer => "recorded the response in the journal",
                JournalStep::Cleared => "removed the journal",
                JournalStep::AnswerFound => "a killed renewal left a response in the journal",
                JournalStep::IntentFound => {
                    "a killed renewal left a request without a response in the journal"
                }
            }),
            Self::Commit { what, stored: true } => write!(f, "stored the {what}"),
            Self::Commit { what, stored: false } => {
                write!(f, "did not store the {what}: another login was stored in the meantime")
            }
            Self::BackOff { until, failures } => {
                write!(f, "no request before {} (failures: {failures})", clock::rfc3339(*until))
            }
            Self::DeviceAuthorization { joined, expires_at } => {
                let which = if *joined { "pending" } else { "new" };
                let until = clock::rfc3339(*expires_at);
                write!(
                    f,
                    "waiting for the user to approve the {which} device authorization until {until}"
                )
            }
        }
    }
}
