//! How the program speaks to a person: on stderr, `codex-credential: ` and lower case, then `hint: `. The device
//! prompt has the URL and the code each alone on a line, so that they can be copied; what counts down is one live
//! line, on terminals only. Nothing here goes to stdout.

use crate::clock::Deadline;
use crate::error::{Error, Prompt};
use console::Term;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::sync::mpsc;
use std::thread;

/// One line for whoever reads stderr.
pub fn say(text: &str) {
    eprintln!("codex-credential: {text}");
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
                eprintln!("codex-credential: {error}");
                if let Some(hint) = &error.hint {
                    eprintln!("hint: {hint}");
                }
            }
            Self::Json => eprintln!("{}", serde_json::json!(error)),
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

/// Where a waiting caller shows a pending login to a person.
pub struct Screen {
    /// Nobody is there to be asked, or stderr.
    term: Option<Term>,
    shown: Option<Prompt>,
    /// The live line stands at the cursor.
    is_live: bool,
}

impl Screen {
    /// Asks on stderr if it is a terminal.
    pub fn if_terminal() -> Self {
        let term = Term::stderr();
        Self { term: term.is_term().then_some(term), shown: None, is_live: false }
    }

    /// Asks on stderr, whatever it is.
    pub fn always() -> Self {
        Self { term: Some(Term::stderr()), shown: None, is_live: false }
    }

    /// Whether a person is asked here, and waited for.
    pub fn asks(&self) -> bool {
        self.term.is_some()
    }

    /// Whether the person can press keys here.
    pub fn is_terminal(&self) -> bool {
        self.term.as_ref().is_some_and(Term::is_term)
    }

    /// Shows `prompt` if it is a new one, and counts down.
    pub fn show(&mut self, prompt: &Prompt) {
        let Some(term) = &self.term else { return };
        if self.shown.as_ref() != Some(prompt) {
            let _ = term.write_line(&text(prompt));
            self.shown = Some(prompt.clone());
        }
        if !term.is_term() {
            return;
        }
        let left = time_left(prompt.expires_at - crate::clock::now());
        let _ = term.clear_line();
        let _ = term.write_str(&format!("waiting for your approval, {left} left (Ctrl-C cancels)"));
        self.is_live = true;
    }

    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_live)
            && let Some(term) = &self.term
        {
            let _ = term.clear_line();
        }
    }

    /// Says who is signed in, if a person was asked for it.
    pub fn signed_in(&mut self, who: &str) {
        self.clear();
        if let Some(term) = &self.term
            && self.shown.take().is_some()
        {
            let _ = term.write_line(&format!("codex-credential: signed in as {who}"));
        }
    }

    /// After a code expired: whether the person at the terminal asks for another, before `deadline`.
    pub fn wants_fresh_code(&self, deadline: &Deadline) -> bool {
        say("the code has expired; press Enter for a fresh one, or Ctrl-C to stop");
        line_typed(deadline).is_some()
    }
}

/// A line from the terminal, which need not be standard input; `None` when there is none before `deadline`.
fn line_typed(deadline: &Deadline) -> Option<String> {
    let (sender, typed) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = match File::open("/dev/tty") {
            Ok(terminal) => BufReader::new(terminal).read_line(&mut line),
            Err(_) => stdin().read_line(&mut line),
        };
        if read.is_ok_and(|length| length > 0) {
            let _ = sender.send(line);
        }
    });
    typed.recv_timeout(deadline.remaining()).ok()
}

fn text(prompt: &Prompt) -> String {
    let reason = prompt.reason.as_ref().map(|reason| format!("codex-credential: {reason}\n"));
    let left = time_left(prompt.expires_at - crate::clock::now());
    format!(
        "{}codex-credential: to sign in, open this page in a browser on any device:\n\n\
         {}\n\n\
         and enter this code, which is good for {left} (never share it):\n\n\
         {}\n",
        reason.unwrap_or_default(),
        prompt.verification_uri,
        prompt.user_code,
    )
}

/// Asks a yes-or-no question at the terminal; anything but `y` is a no, and so is none before `deadline`.
pub fn confirm(question: &str, deadline: &Deadline) -> bool {
    let _ = Term::stderr().write_str(&format!("codex-credential: {question} [y/N] "));
    matches!(line_typed(deadline).as_deref().map(str::trim), Some("y" | "Y" | "yes"))
}
