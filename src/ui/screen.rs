//! Shows a pending sign-in while the caller waits: to the user on stderr, or to a program as JSON lines on stdout.
//!
//! The prompt has the URL and the code each alone on a line, so that they can be copied. On a terminal, one line below
//! counts down.

use crate::account::Account;
use crate::clock;
use crate::error::{Error, Kind};
use crate::output;
use crate::ui::browser::Browser;
use crate::ui::{ErrorFormat, Interactive, SignInWay, line, prompt, say, time_left, when_typed};
use crate::verification::Verification;
use console::{Term, truncate_str};
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

    /// Copy the code, or the URL if there is no code, to the clipboard of the terminal at the sign-in prompt
    #[arg(long)]
    pub copy: bool,
}

pub struct Screen {
    mode: Mode,
    options: PromptOptions,
    browser: Browser,
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
        browser: Browser,
        error_format: ErrorFormat,
    ) -> Self {
        let term = Term::stderr();
        let mode = match interactive {
            Interactive::Always => Mode::Text(term),
            Interactive::Auto if term.is_term() => Mode::Text(term),
            Interactive::Auto => Mode::Line(error_format),
            Interactive::Never => Mode::Silent,
        };
        Self { mode, options, browser, shown: None, is_live: false, last_event: 0 }
    }

    pub fn events() -> Self {
        let (options, browser) = (PromptOptions::default(), Browser::default());
        Self { mode: Mode::Events, options, browser, shown: None, is_live: false, last_event: 0 }
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

    /// Whether a page can be opened on this machine.
    pub fn has_browser(&self) -> bool {
        self.browser.is_here()
    }

    /// Shows `verification` if it is new, and counts down. `opens` its page where the user signs in with a browser here.
    pub fn show(&mut self, verification: &Verification, way: SignInWay, opens: bool) {
        if self.shown.as_ref() != Some(verification) {
            self.clear();
            self.show_new(verification, way, opens);
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

    fn show_new(&mut self, verification: &Verification, way: SignInWay, opens: bool) {
        match &self.mode {
            Mode::Silent => {}
            Mode::Line(format) => format.show(&login_pending(verification)),
            Mode::Events => {
                let name = if verification.user_code.is_some() { "code" } else { "page" };
                self.event(name, &json!(verification));
            }
            Mode::Text(term) => {
                line(&prompt::text(verification, way));
                let page = verification.verification_uri_complete.as_ref();
                let page = page.unwrap_or(&verification.verification_uri);
                if self.options.copy && term.is_term() {
                    output::to_stderr(&prompt::copying(verification));
                }
                if self.options.qr && term.is_term() {
                    line(&prompt::qr(page));
                }
                let is_for_browser = verification.user_code.is_none() && way == SignInWay::Browser;
                if (self.options.open || (opens && is_for_browser))
                    && self.browser.open(page).is_err()
                {
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
            let is_page = self.shown.as_ref().is_some_and(|shown| shown.user_code.is_none());
            let what = if is_page { "page" } else { "code" };
            say(&format!("the {what} has expired; press Enter for a new one, or Ctrl-C to stop"));
            return when_typed(|line| wanted(line.is_some())).is_ok();
        }
        false
    }

    /// Offers another way to sign in on a terminal, and returns whether it could. `wanted` is called with the answer.
    pub fn offer_way(
        &mut self,
        why: &str,
        way: SignInWay,
        wanted: impl FnOnce(bool) + Send + 'static,
    ) -> bool {
        self.clear();
        if !self.is_terminal() {
            return false;
        }
        let other = match way {
            SignInWay::Paste => "with a browser elsewhere",
            _ => "with a browser",
        };
        say(why);
        say(&format!("press Enter to sign in {other} instead, or Ctrl-C to stop"));
        when_typed(|line| wanted(line.is_some())).is_ok()
    }

    /// Writes a message at the prompt.
    pub fn note(&mut self, text: &str) {
        self.clear();
        say(text);
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
    let error = Error::new(Kind::LoginPending, message).verification(verification.clone());
    match verification.user_code {
        Some(_) => error.hint("never share the code"),
        None => error.run("with a browser on another machine", "codex-credential login --paste"),
    }
}
