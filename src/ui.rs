//! How the program speaks to a person: on stderr, `codex-credential: ` and lower case, then `hint: `. The device
//! prompt has the URL and the code each alone on a line, so that they can be copied; what counts down is one live
//! line, on terminals only. Nothing here goes to stdout.

use crate::error::{Error, Prompt};
use console::{Key, Term};

pub fn warn(text: &str) {
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

/// `14 min 52 s`, for what is left of `seconds`.
pub fn time_left(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// Where a waiting caller shows a pending login: a terminal, or nowhere.
#[derive(Default)]
pub struct Screen {
    term: Option<Term>,
    shown: Option<Prompt>,
    /// The live line stands at the cursor.
    is_live: bool,
}

impl Screen {
    /// For stderr, if it is a terminal and a person may be asked there.
    pub fn stderr() -> Self {
        let term = Term::stderr();
        Self { term: term.is_term().then_some(term), ..Self::default() }
    }

    pub fn is_terminal(&self) -> bool {
        self.term.is_some()
    }

    /// Shows `prompt` if it is a new one, and counts down.
    pub fn show(&mut self, prompt: &Prompt) {
        let Some(term) = &self.term else { return };
        if self.shown.as_ref() != Some(prompt) {
            let _ = term.write_line(&text(prompt));
            self.shown = Some(prompt.clone());
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

    /// After a code expired: whether the person at the terminal wants another.
    pub fn wants_fresh_code(&mut self) -> bool {
        self.clear();
        let Some(term) = &self.term else { return false };
        let question = "codex-credential: the code has expired; press Enter for a fresh one, or any other key to stop";
        let _ = term.write_line(question);
        matches!(term.read_key(), Ok(Key::Enter))
    }
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

/// Asks a yes-or-no question at the terminal; anything but `y` is a no.
pub fn confirm(question: &str) -> bool {
    let term = Term::stderr();
    let _ = term.write_str(&format!("codex-credential: {question} [y/N] "));
    let answer = term.read_line().unwrap_or_default();
    matches!(answer.trim(), "y" | "Y" | "yes")
}
