//! Traces each step: as text on stderr (`-v`), and as JSON lines in a file (`CODEX_CREDENTIAL_TRACE`).
//!
//! [`Event`] lists everything that can be traced. Its fields cannot hold a [`Secret`](crate::tokens::Secret).

use crate::clock;
use crate::error::Kind;
use crate::visible::visible;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
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
        target: &'a str,
    },
    /// The stored login, as a `get` finds it.
    Login {
        /// `warm`: valid for as long as the caller asks; `due`: its early renewal is due; `stale`: must be renewed first.
        state: &'a str,
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
    /// A change of the journal, or what a killed renewal left in it.
    Journal {
        step: &'a str,
    },
    /// `stored` is false if another login was stored in the meantime.
    Commit {
        what: &'a str,
        stored: bool,
    },
    /// `store` was called with a token that is not kept.
    StoreIgnored {
        why: &'a str,
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

impl Outputs {
    /// Writes each line at once, so that lines of several processes do not mix. Write errors are ignored.
    fn write(&self, event: &Event) {
        let Ok(Value::Object(fields)) = serde_json::to_value(event) else { return };
        if self.stderr {
            let known = fields.iter().filter(|(_, value)| !value.is_null());
            let text = known.map(text).collect::<Vec<_>>().join(" ");
            let _ =
                stderr().write_all(format!("codex-credential: {}\n", visible(&text)).as_bytes());
        }
        if let Some(mut file) = self.file.as_ref() {
            let at = clock::timestamp().to_string();
            let mut line = json!({ "at": at, "pid": std::process::id() });
            line.as_object_mut().expect("an object").extend(fields);
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// Formats one field for the user: `host=auth.openai.com`.
fn text((name, value): (&String, &Value)) -> String {
    match value {
        Value::String(event) if name == "event" => event.clone(),
        Value::String(text) => format!("{name}={text}"),
        Value::Number(time) if name == "until" || name.ends_with("_at") => {
            format!("{name}={}", clock::rfc3339(time.as_i64().unwrap_or_default()))
        }
        value => format!("{name}={value}"),
    }
}
