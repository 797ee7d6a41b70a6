//! What was done to a login, for whom, and how it ended: written down for the person whose login it is. That it cannot
//! be written keeps nobody from anything.

use crate::clock;
use crate::error::{Error, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::audit_log::{AuditLevel, Log};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    SignIn,
    Renewal,
    /// A caller gave a newer token to keep.
    Store,
    /// A caller found the token refused.
    Rejection,
    /// Removed here alone.
    Removal,
    Logout,
    Move,
    /// A token went to the caller.
    HandOut,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Renewal => "renewal",
            Self::Store => "store",
            Self::Rejection => "rejection",
            Self::Removal => "removal",
            Self::Logout => "logout",
            Self::Move => "move",
            Self::HandOut => "hand_out",
        }
    }
}

/// The program that runs this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub pid: u32,
    /// Empty where the system does not tell.
    pub program: String,
}

/// One line. Fits into one write whatever its members say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since the epoch; RFC 3339 in JSON.
    #[serde(with = "crate::clock::as_rfc3339")]
    pub at: i64,
    pub action: Action,
    /// `ok`, or the kind of the error.
    pub outcome: String,
    pub profile: String,
    pub account: Option<String>,
    /// The start of the SHA-256 of the access token, in hex.
    pub token: Option<String>,
    pub caller: Caller,
}

static CALLER: OnceLock<Caller> = OnceLock::new();

/// The renewing process acts for the caller of whoever started it.
pub fn on_behalf_of(caller: Caller) {
    // The first one it was told of is the one.
    let _ = CALLER.set(caller);
}

impl Caller {
    /// Of this process.
    pub fn own() -> Self {
        CALLER.get().cloned().unwrap_or_else(Self::parent)
    }

    #[cfg(unix)]
    fn parent() -> Self {
        let pid = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Self { pid: pid.unsigned_abs(), program: short(program.trim_end()) }
    }

    #[cfg(not(unix))]
    fn parent() -> Self {
        Self { pid: 0, program: String::new() }
    }

    /// As an argument.
    pub fn to_argument(&self) -> String {
        format!("{} {}", self.pid, self.program)
    }

    pub fn of_argument(text: &str) -> Option<Self> {
        let (pid, program) = text.split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, program: short(program) })
    }
}

/// Writes down that `action` was done, or failed, with `login`.
pub fn note(profile: &Profile, action: Action, login: Option<&Login>, failed: Option<&Error>) {
    let needed = if action == Action::HandOut { AuditLevel::All } else { AuditLevel::Changes };
    if profile.audit < needed {
        return;
    }
    let entry = Entry {
        at: clock::now(),
        action,
        outcome: failed.map_or_else(|| "ok".into(), |error| error.kind.name()),
        profile: short(&profile.name),
        account: login.map(|login| short(&login.username())),
        token: login.map(|login| login.access_token.fingerprint().prefix(12).to_owned()),
        caller: Caller::own(),
    };
    let line = serde_json::to_string(&entry).expect("entries serialize");
    let _ = Log::of_user().and_then(|log| log.append(&line));
}

/// The same of a result.
pub fn note_result<T>(
    profile: &Profile,
    action: Action,
    login: Option<&Login>,
    result: &Result<T>,
) {
    note(profile, action, login, result.as_ref().err());
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
