//! Shows a pending sign-in while the caller waits: to the user on stderr, or to a program as JSON lines on stdout.
//!
//! The prompt has the URL and the code each alone on a line, so that they can be copied. On a terminal, one line below
//! counts down.

use crate::account::Account;
use crate::clock;
use crate::error::{Error, Kind};
use crate::output;
use crate::ui::{ErrorFormat, Interactive, line, say, time_left, when_typed};
use crate::verification::Verification;
use console::{Term, truncate_str};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};
use std::time::Duration;

/// Clears the line of the cursor.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Seconds between two `pending` events.
const EVENT_INTERVAL: i64 = 5;

enum Mode {
    /// Show nothing.
    Silent,
    /// Write one line for each code, for a reader of the log, and go on.
    Line(ErrorFormat),
    /// Write text to stderr, which need not be a terminal.
    Text(Term),
    /// Write JSON lines to stdout.
    Events,
}

/// Additions to the prompt.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct PromptOptions {
    /// Show the URL as a QR code at the sign-in prompt
    #[arg(long)]
    pub qr: bool,

    /// Open the URL in a browser at the sign-in prompt
    #[arg(long)]
    pub open: bool,
}

pub struct Screen {
    mode: Mode,
    options: PromptOptions,
    shown: Option<Verification>,
    /// Whether the cursor is in the line that counts down.
    is_live: bool,
    /// When the last event was written, in seconds since the epoch.
    last_event: i64,
}

impl Screen {
    pub fn new(
        interactive: Interactive,
        options: PromptOptions,
        error_format: ErrorFormat,
    ) -> Self {
        let term = Term::stderr();
        let mode = match interactive {
            Interactive::Always => Mode::Text(term),
            Interactive::Auto if term.is_term() => Mode::Text(term),
            Interactive::Auto => Mode::Line(error_format),
            Interactive::Never => Mode::Silent,
        };
        Self { mode, options, shown: None, is_live: false, last_event: 0 }
    }

    pub fn events() -> Self {
        let options = PromptOptions::default();
        Self { mode: Mode::Events, options, shown: None, is_live: false, last_event: 0 }
    }

    /// Whether the user is asked here, so that the caller waits for the sign-in.
    pub fn asks(&self) -> bool {
        matches!(self.mode, Mode::Text(_) | Mode::Events)
    }

    fn terminal(&self) -> Option<&Term> {
        match &self.mode {
            Mode::Text(term) if term.is_term() => Some(term),
            _ => None,
        }
    }

    /// Whether the user can press keys here.
    pub fn is_terminal(&self) -> bool {
        self.terminal().is_some()
    }

    /// Shows `verification` if it is new, and counts down.
    pub fn show(&mut self, verification: &Verification) {
        if self.shown.as_ref() != Some(verification) {
            self.show_new(verification);
            self.shown = Some(verification.clone());
        }
        let left = verification.expires_at - clock::now();
        if let Mode::Events = self.mode {
            if clock::now() - self.last_event >= EVENT_INTERVAL {
                self.event("pending", &json!({ "seconds_left": left }));
            }
        } else if let Some(term) = self.terminal() {
            let left = time_left(left);
            let line = format!("waiting for your approval, {left} left (Ctrl-C cancels)");
            // Only one line is cleared.
            let width = usize::from(term.size().1).saturating_sub(1);
            output::to_stderr(&format!("{CLEAR_LINE}{}", truncate_str(&line, width, "")));
            self.is_live = true;
        }
    }

    fn show_new(&mut self, verification: &Verification) {
        match &self.mode {
            Mode::Silent => {}
            Mode::Line(format) => format.show(&login_pending(verification)),
            Mode::Events => self.event("code", &json!(verification)),
            Mode::Text(term) => {
                line(&prompt(verification));
                let page = verification.verification_uri_complete.as_ref();
                let page = page.unwrap_or(&verification.verification_uri);
                if self.options.qr && term.is_term() {
                    line(&qr(page));
                }
                if self.options.open && open::that_detached(page).is_err() {
                    say("cannot open a browser here; use the URL above");
                }
            }
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_live) && self.is_terminal() {
            output::to_stderr(CLEAR_LINE);
        }
    }

    /// Shows who signed in, if the sign-in was shown here.
    pub fn signed_in(&mut self, account: &Account) {
        self.clear();
        match self.mode {
            Mode::Events => self.event(
                "approved",
                &json!({
                    "email": account.email,
                    "account_id": account.account_id,
                    "plan": account.plan,
                }),
            ),
            Mode::Text(_) if self.shown.take().is_some() => {
                say(&format!("signed in as {}", account.username()));
            }
            _ => {}
        }
    }

    /// Reports the failure to a program. The user reads the error itself.
    pub fn failed(&mut self, error: &Error) {
        self.clear();
        let event = match error.kind {
            Kind::Denied => "denied",
            Kind::LoginExpired => "expired",
            Kind::LoginCancelled => "cancelled",
            _ => "failed",
        };
        self.event(event, &json!({ "error": error.completed() }));
    }

    /// Offers a new code after one expired, and returns whether it could. `wanted` is called with the answer.
    pub fn offer_new_code(&mut self, wanted: impl FnOnce(bool) + Send + 'static) -> bool {
        self.clear();
        if let Mode::Events = self.mode {
            self.event("expired", &json!({}));
            wanted(true);
            return true;
        }
        if self.is_terminal() {
            say("the code has expired; press Enter for a new one, or Ctrl-C to stop");
            return when_typed(|line| wanted(line.is_some())).is_ok();
        }
        false
    }

    /// Writes one line of JSON, without waiting for a reader that has stopped reading. Errors are ignored: the sign-in goes on
    /// if the reader has closed the pipe.
    fn event(&mut self, name: &str, more: &Value) {
        if let Mode::Events = self.mode {
            let mut event = json!({ "event": name });
            if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
                event.extend(more.clone());
            }
            let _ = output::to_stdout(format!("{event}\n").as_bytes(), Duration::ZERO);
            self.last_event = clock::now();
        }
    }
}

/// Says in one line all that the user needs to sign in.
pub fn login_pending(verification: &Verification) -> Error {
    let left = time_left(verification.expires_at - clock::now());
    let reason = verification.reason.as_ref().map(|reason| format!("{reason}; "));
    let message =
        format!("{}{} ({left} left)", reason.unwrap_or_default(), verification.instruction());
    Error::new(Kind::LoginPending, message)
        .hint("never share the code")
        .verification(verification.clone())
}

fn prompt(verification: &Verification) -> String {
    let reason = verification.reason.as_ref().map(|reason| format!("codex-credential: {reason}\n"));
    let left = time_left(verification.expires_at - clock::now());
    let complete = verification.verification_uri_complete.as_ref();
    let complete =
        complete.map(|url| format!("\nor open this page, which already has the code:\n\n{url}\n"));
    format!(
        "{}codex-credential: to sign in, open this page in a browser on any device:\n\n\
         {}\n\n\
         and enter this code, valid for {left} (never share it):\n\n\
         {}\n{}",
        reason.unwrap_or_default(),
        verification.verification_uri,
        verification.user_code.as_deref().unwrap_or_default(),
        complete.unwrap_or_default(),
    )
}

/// Draws a QR code in black on white: scanners do not read inverted codes, and terminals have either background.
fn qr(url: &str) -> String {
    let Ok(code) = QrCode::new(url) else { return String::new() };
    let blocks = code.render::<Dense1x2>().build();
    let lines = blocks.lines().map(|line| format!("\x1b[38;5;16;48;5;231m{line}\x1b[0m"));
    lines.collect::<Vec<_>>().join("\n")
}
