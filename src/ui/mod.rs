//! How the program speaks to a person: on stderr, `codex-credential: ` and lower case, then `hint: `. The device
//! prompt has the URL and the code each alone on a line, so that they can be copied; what counts down is one live
//! line, on terminals only. Nothing here goes to stdout.

pub mod screen;

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use clap::ValueEnum;
use console::Term;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write, stderr, stdin};
use std::sync::mpsc;
use std::thread;

/// One line for whoever reads stderr.
pub fn say(text: &str) {
    line(&format!("codex-credential: {text}"));
}

/// Where nobody reads stderr any more, that is no reason to fail.
pub fn line(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ErrorFormat {
    /// a line for a person, and a hint
    #[default]
    Text,
    /// one JSON object on stderr
    Json,
}

impl ErrorFormat {
    pub fn show(self, error: &Error) {
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

/// `14 min 52 s`, `3 h 5 min`, `9 days 23 h`: the two greatest units of `seconds`.
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

/// Whether a person may be asked to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interactive {
    /// on a terminal, with a live prompt; elsewhere the caller leaves with the code in its error
    #[default]
    Auto,
    /// on stderr, whatever that is, and wait
    Always,
    /// not at all
    Never,
}

impl Interactive {
    /// What is said where the command line says nothing: by our own variable, by the profile, by what others use.
    ///
    /// # Errors
    /// `Usage` when our variable has a value that does not exist.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>, profile: Option<Self>) -> Result<Self> {
        let own = "CODEX_CREDENTIAL_INTERACTIVE";
        if let Some(value) = variable(own).filter(|value| !value.is_empty()) {
            let value = value.to_string_lossy();
            return Self::from_str(&value, true).map_err(|_| {
                Error::new(
                    Kind::Usage,
                    format!("{own} must be auto, always or never, not {value:?}"),
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

/// A line from the terminal, which need not be standard input, to `then`; `None` where the input has ended.
fn when_typed(then: impl FnOnce(Option<String>) + Send + 'static) {
    thread::spawn(move || {
        let mut line = String::new();
        let read = match File::open("/dev/tty") {
            Ok(terminal) => BufReader::new(terminal).read_line(&mut line),
            Err(_) => stdin().read_line(&mut line),
        };
        then(Some(line).filter(|_| read.is_ok_and(|length| length > 0)));
    });
}

/// Asks a yes-or-no question at the terminal; anything but `y` is a no, and so is none before `deadline`.
pub fn confirm(question: &str, deadline: &Deadline) -> bool {
    let _ = Term::stderr().write_str(&format!("codex-credential: {question} [y/N] "));
    let (sender, typed) = mpsc::channel();
    when_typed(move |line| drop(sender.send(line)));
    let answer = typed.recv_timeout(deadline.remaining()).ok().flatten();
    matches!(answer.as_deref().map(str::trim), Some("y" | "Y" | "yes"))
}
