//! Messages to the user. All go to stderr: `codex-credential: ` and a line in lower case, then `hint: ` and a line.

pub mod browser;
pub mod input;
mod prompt;
pub mod screen;

use crate::clock::Deadline;
use crate::command_options;
use crate::error::{Error, Kind, Result};
use crate::output;
use crate::threads;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::sync::mpsc;

/// Writes a message.
pub fn say(text: &str) {
    line(&format!("codex-credential: {text}"));
}

/// Writes a line to stderr.
pub fn line(text: &str) {
    output::to_stderr(&format!("{text}\n"));
}

/// Writes a hint that ends in a command of this program.
pub fn hint(purpose: &str, command: &str) {
    line(&format!("hint: {}", command_options::hint(purpose, command)));
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ErrorFormat {
    /// a line of text, and a hint
    #[default]
    Text,
    /// one JSON object on stderr
    Json,
}

impl ErrorFormat {
    /// Returns the format that `arguments` name, for errors before the arguments are parsed.
    pub fn named_in(arguments: impl Iterator<Item = OsString>) -> Self {
        let arguments: Vec<OsString> = arguments.collect();
        let wants_json = arguments.windows(2).any(|pair| pair == ["--error-format", "json"])
            || arguments.iter().any(|argument| argument == "--error-format=json");
        if wants_json { Self::Json } else { Self::Text }
    }

    /// Writes `error` to stderr.
    pub fn show(self, error: &Error) {
        let error = &error.completed();
        match self {
            Self::Text => {
                say(&error.text());
                if let Some(hint) = &error.hint {
                    line(&format!("hint: {hint}"));
                }
            }
            Self::Json => line(&serde_json::json!(error).to_string()),
        }
    }
}

/// Formats `seconds` with the two largest units: `14 min 52 s`, `3 h 5 min`, `9 days 23 h`.
pub fn time_left(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => [(seconds, "s"), (0, "")],
        (0, 0, _) => [(minutes, "min"), (seconds % 60, "s")],
        (0, _, _) => [(hours, "h"), (minutes, "min")],
        (1, _, _) => [(days, "day"), (hours, "h")],
        _ => [(days, "days"), (hours, "h")],
    };
    let [(first, unit), (second, smaller)] = parts;
    if second == 0 {
        format!("{first} {unit}")
    } else {
        format!("{first} {unit} {second} {smaller}")
    }
}

/// How the user signs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignInWay {
    /// with a code that the user types on a page, on any device
    #[default]
    Device,
    /// with a browser on this machine
    Browser,
    /// with a browser elsewhere, whose last address the user pastes here
    Paste,
}

/// Whether the user may be asked to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interactive {
    /// ask on a terminal; elsewhere, fail with the URL and code in the error
    #[default]
    Auto,
    /// ask on standard error, even if it is not a terminal, and wait
    Always,
    /// never ask
    Never,
}

impl Interactive {
    /// Returns the setting for a command line without one: from `CODEX_CREDENTIAL_INTERACTIVE`, else the profile, else
    /// the variables of other programs.
    ///
    /// # Errors
    /// `Usage` if `CODEX_CREDENTIAL_INTERACTIVE` has an unknown value.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<OsString>,
        profile: Option<Self>,
    ) -> Result<Self> {
        let name = "CODEX_CREDENTIAL_INTERACTIVE";
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            let value = value.to_string_lossy();
            return Self::from_str(&value, true).map_err(|_| {
                Error::new(
                    Kind::Usage,
                    format!("{name} must be auto, always or never, not {value:?}"),
                )
            });
        }
        if let Some(interactive) = profile {
            return Ok(interactive);
        }
        let never = [("GIT_TERMINAL_PROMPT", "0"), ("GCM_INTERACTIVE", "never"), ("CI", "true")];
        let is_set = |(name, value): &(&str, &str)| {
            variable(name).is_some_and(|set| set.eq_ignore_ascii_case(value))
        };
        Ok(if never.iter().any(is_set) { Self::Never } else { Self::Auto })
    }
}

/// Waits in a thread for a line from the terminal, else from standard input, and calls `then` with it, or with `None` at
/// the end of the input.
fn when_typed(then: impl FnOnce(Option<String>) + Send + 'static) -> Result<()> {
    threads::spawn(move || {
        let mut line = String::new();
        let read = match File::open("/dev/tty") {
            Ok(terminal) => BufReader::new(terminal).read_line(&mut line),
            Err(_) => stdin().read_line(&mut line),
        };
        then(Some(line).filter(|_| read.is_ok_and(|length| length > 0)));
    })
    .map(drop)
}

/// Asks for a line on the terminal. Returns `None` without one before `deadline`.
pub fn ask(question: &str, deadline: &Deadline) -> Option<String> {
    output::to_stderr(&format!("codex-credential: {question} "));
    let (sender, typed) = mpsc::channel();
    let is_asked = when_typed(move |line| drop(sender.send(line)));
    if let Err(error) = is_asked {
        say(&error.text());
    }
    let line = typed.recv_timeout(deadline.remaining()).ok().flatten()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Asks a yes-or-no question on the terminal. Any answer but `y` or `yes`, or none before `deadline`, means no.
pub fn confirm(question: &str, deadline: &Deadline) -> bool {
    let answer = ask(&format!("{question} [y/N]"), deadline);
    matches!(answer.as_deref(), Some("y" | "Y" | "yes"))
}
