//! Traces each step: as text on stderr (`-v`), and as JSON lines in a file (`CODEX_CREDENTIAL_TRACE`).
//!
//! [`Event`] lists everything that can be traced. Its fields cannot hold a [`Secret`](crate::tokens::Secret).

use crate::clock;
use crate::error::Kind;
use crate::output;
use crate::private::{self, Access};
use crate::visible::visible;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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
    /// A sign-in waits for the user.
    PendingSignIn {
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

/// One event, as it is written to each output.
struct Line {
    stderr: Option<String>,
    file: Option<String>,
}

/// The lines that wait for the end of a [`Pause`].
static WAITING: Mutex<Option<Vec<Line>>> = Mutex::new(None);

fn waiting() -> MutexGuard<'static, Option<Vec<Line>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps events in memory until it is dropped, or until [`resume`], and then writes them.
pub struct Pause(());

impl Pause {
    pub fn begin() -> Self {
        waiting().get_or_insert_default();
        Self(())
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        resume();
    }
}

/// Ends a [`Pause`].
pub fn resume() {
    let lines = waiting().take().unwrap_or_default();
    if let Some(outputs) = OUTPUTS.get() {
        for line in &lines {
            outputs.write(line);
        }
    }
}

/// Starts tracing for the rest of this process.
///
/// # Errors
/// If `file` cannot be opened. Tracing to stderr starts regardless.
pub fn start(verbose: bool, file: Option<&Path>) -> io::Result<()> {
    // A pipe drops what does not fit.
    let opened = file.map(|file| private::open(file, Access::Output)).transpose();
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

/// Whether this process traces to stderr.
pub fn is_verbose() -> bool {
    OUTPUTS.get().is_some_and(|outputs| outputs.stderr)
}

/// Traces an event. `event` runs only if tracing is on.
pub fn tell<'a>(event: impl FnOnce() -> Event<'a>) {
    if let Some(outputs) = OUTPUTS.get() {
        let Some(line) = outputs.line(&event()) else { return };
        match waiting().as_mut() {
            Some(lines) => lines.push(line),
            None => outputs.write(&line),
        }
    }
}

impl Outputs {
    fn line(&self, event: &Event) -> Option<Line> {
        let Ok(Value::Object(fields)) = serde_json::to_value(event) else { return None };
        let stderr = self.stderr.then(|| {
            let known = fields.iter().filter(|(_, value)| !value.is_null());
            let text = known.map(text).collect::<Vec<_>>().join(" ");
            format!("codex-credential: {}\n", visible(&text))
        });
        let file = self.file.is_some().then(|| {
            let at = clock::timestamp().to_string();
            let mut line = json!({ "at": at, "pid": std::process::id() });
            line.as_object_mut().expect("an object").extend(fields);
            format!("{line}\n")
        });
        Some(Line { stderr, file })
    }

    /// Writes each line at once, so that lines of several processes do not mix. What cannot be written now is dropped.
    fn write(&self, line: &Line) {
        if let Some(text) = &line.stderr {
            output::to_stderr_now(text.as_bytes());
        }
        if let (Some(mut file), Some(text)) = (self.file.as_ref(), &line.file) {
            let _ = file.write_all(text.as_bytes());
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
