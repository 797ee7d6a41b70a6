//! What the program does, told while it does it: to a person on stderr (`-v`), and as JSON lines in a file
//! (`CODEX_CREDENTIAL_TRACE`). All that can be told is listed here, in types that no [`Secret`] fits into.
//!
//! Where nobody asked, each place that tells costs one look at an empty cell.
//!
//! [`Secret`]: crate::tokens::Secret

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

/// One thing that happened. Times are seconds since the epoch, `ms` milliseconds.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Whose request it is, by its host.
    Profile {
        profile: &'a str,
        storage: &'a str,
        host: Option<Cow<'a, str>>,
        meant: Target,
    },
    /// What is stored, and what follows from it.
    Login {
        state: State,
        expires_at: Option<i64>,
        renews_at: Option<i64>,
    },
    /// A lock that another process has.
    LockWait {
        path: Cow<'a, str>,
        holder: Option<String>,
    },
    LockGained {
        path: Cow<'a, str>,
        ms: u64,
    },
    /// A renewing process was started, by its process id.
    RenewalStarted {
        process: u32,
        goal: &'a str,
    },
    RenewalEnded {
        failure: Option<Kind>,
    },
    /// The path has no query; neither have the addresses that tokens are sent to.
    Request {
        method: &'a str,
        host: &'a str,
        path: &'a str,
        status: Option<u16>,
        ms: u64,
    },
    /// A question to one node of etcd.
    Etcd {
        asked: &'a str,
        endpoint: &'a str,
        answered: bool,
        ms: u64,
    },
    Journal {
        step: Step,
    },
    /// `kept` is false where another login was stored meanwhile.
    Commit {
        what: &'a str,
        kept: bool,
    },
    /// No request before then.
    BackOff {
        until: i64,
        failures: u32,
    },
    /// A device login waits for a person.
    DeviceAuthorization {
        joined: bool,
        expires_at: i64,
    },
}

/// What is meant by a host.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Token,
    ApiKey,
    OtherHosts,
    Nothing,
}

impl Target {
    fn words(self) -> &'static str {
        match self {
            Self::Token => "a token",
            Self::ApiKey => "an API key",
            Self::OtherHosts => "what git gave us to keep for it",
            Self::Nothing => "nothing of ours",
        }
    }
}

/// What a `get` finds.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Good for as long as is asked.
    Warm,
    /// Good, and its early renewal is due.
    Due,
    /// To be renewed first.
    Stale,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Intent,
    Answer,
    Cleared,
    /// A killed renewal left an answer: it is committed.
    AnswerFound,
    /// A killed renewal left an intent, and no answer is known.
    IntentFound,
}

struct Listeners {
    /// A person reads stderr.
    person: bool,
    file: Option<File>,
}

static LISTENERS: OnceLock<Listeners> = OnceLock::new();

/// Begins to tell, for the rest of this process.
///
/// # Errors
/// Why nothing can be written to `file`; a person is told all the same.
pub fn start(person: bool, file: Option<&Path>) -> io::Result<()> {
    let opened = file.map(open).transpose();
    let (file, result) = match opened {
        Ok(file) => (file, Ok(())),
        Err(error) => (None, Err(error)),
    };
    if person || file.is_some() {
        // A second start would change nothing.
        let _ = LISTENERS.set(Listeners { person, file });
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

/// Whether a person reads along.
pub fn is_verbose() -> bool {
    LISTENERS.get().is_some_and(|listeners| listeners.person)
}

/// Runs `event` only where somebody listens.
pub fn tell<'a>(event: impl FnOnce() -> Event<'a>) {
    if let Some(listeners) = LISTENERS.get() {
        listeners.hear(&event());
    }
}

/// As [`tell`], for what takes its time; the watch stands still where nobody listens.
pub fn watch() -> Option<Stopwatch> {
    LISTENERS.get().map(|_| Stopwatch::start())
}

/// Milliseconds.
pub fn ms(watch: Option<&Stopwatch>) -> u64 {
    watch.map_or(0, Stopwatch::ms)
}

impl Listeners {
    /// In one write each, so that lines of several processes do not mix. Whoever reads no more is told no more.
    fn hear(&self, event: &Event) {
        if self.person {
            let words = event.to_string().replace(char::is_control, "?");
            let _ = stderr().write_all(format!("codex-credential: {words}\n").as_bytes());
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
            Self::Profile { profile, storage, host, meant } => {
                let host = host.as_deref().unwrap_or("no host");
                let meant = meant.words();
                write!(f, "{host} means {meant}, by the profile {profile}, kept in {storage}")
            }
            Self::Login { state, expires_at, .. } => {
                let what = match state {
                    State::Warm => "the stored token is good",
                    State::Due => "the stored token is good, and its renewal is due",
                    State::Stale => "there is no token that is good for as long as is asked",
                };
                f.write_str(what)?;
                expires_at.map_or(Ok(()), |end| write!(f, " (it ends at {})", clock::rfc3339(end)))
            }
            Self::LockWait { path, holder } => {
                write!(
                    f,
                    "waiting for {} to free {path}",
                    holder.as_deref().unwrap_or("another process")
                )
            }
            Self::LockGained { path, ms } => write!(f, "got the lock {path} after {ms} ms"),
            Self::RenewalStarted { process, goal } => {
                write!(f, "started the renewing process {process}, for {goal}")
            }
            Self::RenewalEnded { failure: None } => f.write_str("the renewing process is done"),
            Self::RenewalEnded { failure: Some(kind) } => {
                write!(f, "the renewing process failed ({})", kind.name())
            }
            Self::Request { method, host, path, status, ms } => {
                write!(f, "{method} {host}{path}: ")?;
                match status {
                    Some(status) => write!(f, "{status} in {ms} ms"),
                    None => write!(f, "no answer in {ms} ms"),
                }
            }
            Self::Etcd { asked, endpoint, answered, ms } => {
                let ended = if *answered { "answered" } else { "no answer" };
                write!(f, "{asked} at {endpoint}: {ended} in {ms} ms")
            }
            Self::Journal { step } => f.write_str(match step {
                Step::Intent => "noted what is about to be sent",
                Step::Answer => "noted the answer",
                Step::Cleared => "removed the note",
                Step::AnswerFound => "a killed renewal left an answer",
                Step::IntentFound => "a killed renewal left a request without an answer",
            }),
            Self::Commit { what, kept: true } => write!(f, "stored the {what}"),
            Self::Commit { what, kept: false } => {
                write!(f, "another login was stored meanwhile; the {what} is not")
            }
            Self::BackOff { until, failures } => {
                write!(f, "no request before {} (failures: {failures})", clock::rfc3339(*until))
            }
            Self::DeviceAuthorization { joined, expires_at } => {
                let which =
                    if *joined { "the device login that waits" } else { "a new device login" };
                write!(f, "waiting for a person at {which}, until {}", clock::rfc3339(*expires_at))
            }
        }
    }
}
