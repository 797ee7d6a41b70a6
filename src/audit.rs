//! The entries of the audit log. `storage::audit_log` writes the file.

use crate::clock;
use crate::error::Error;
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::audit_log::{AuditLevel, Log};
use crate::visible::is_hidden;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    SignIn,
    Renewal,
    /// A caller stored a newer access token.
    Store,
    /// A caller reported that a resource server rejected the access token.
    Rejection,
    /// Removed here, and not revoked.
    Removal,
    Logout,
    Move,
    Import,
    /// Another account came into use, or its login was parked.
    Switch,
    /// The login was written to standard output with its refresh token.
    Export,
    /// A caller was given an access token.
    HandOut,
}

/// The program that runs this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub pid: u32,
    /// Empty where the system does not tell.
    pub program: String,
}

/// One line of the log. Its members are short enough for one write.
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

/// Makes this process act for `caller`: the program that runs the process that started it.
pub fn on_behalf_of(caller: &Caller) {
    let _ = CALLER.set(Caller { pid: caller.pid, program: short(&caller.program) });
}

impl Caller {
    /// Returns the caller of this process.
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
}

/// Logs that `action` was done with `login`, or failed. Does nothing if the log cannot be written.
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

fn short(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).take(100).collect()
}
