//! Where a waiting caller shows a pending login: to a person on stderr, to a program as JSON lines on stdout, or to
//! nobody.

use crate::account::Account;
use crate::clock;
use crate::error::{Error, Kind};
use crate::ui::{Interactive, say, time_left, when_typed};
use crate::verification::Verification;
use console::{Term, truncate_str};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};
use std::io::Write;

/// Seconds between two `pending` events.
const EVENT_INTERVAL: i64 = 5;

enum Mode {
    Nobody,
    /// A person reads stderr, perhaps later, as the log of something.
    Person(Term),
    /// A program reads stdout.
    Events,
}

/// What helps a person at the prompt beside the URL and the code.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptOptions {
    /// The URL as a QR code, on a terminal.
    pub qr: bool,
    /// The URL in the browser of this machine.
    pub open: bool,
}

pub struct Screen {
    mode: Mode,
    extras: PromptOptions,
    shown: Option<Verification>,
    /// The live line stands at the cursor.
    is_live: bool,
    /// When the last event was written, seconds since the epoch.
    last_event: i64,
}

impl Screen {
    pub fn new(interactive: Interactive, extras: PromptOptions) -> Self {
        let term = Term::stderr();
        let mode = match interactive {
            Interactive::Always => Mode::Person(term),
            Interactive::Auto if term.is_term() => Mode::Person(term),
            Interactive::Auto | Interactive::Never => Mode::Nobody,
        };
        Self { mode, extras, shown: None, is_live: false, last_event: 0 }
    }

    pub fn events() -> Self {
        let extras = PromptOptions::default();
        Self { mode: Mode::Events, extras, shown: None, is_live: false, last_event: 0 }
    }

    /// Whether somebody is asked here, and waited for.
    pub fn asks(&self) -> bool {
        !matches!(self.mode, Mode::Nobody)
    }

    fn terminal(&self) -> Option<&Term> {
        match &self.mode {
            Mode::Person(term) if term.is_term() => Some(term),
            _ => None,
        }
    }

    /// Whether a person can press keys here.
    pub fn is_terminal(&self) -> bool {
        self.terminal().is_some()
    }

    /// Shows `prompt` if it is a new one, and counts down.
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
            let _ = term.clear_line();
            let line = format!("waiting for your approval, {left} left (Ctrl-C cancels)");
            // Two lines could not be cleared as one.
            let room = usize::from(term.size().1).saturating_sub(1);
            let _ = term.write_str(&truncate_str(&line, room, ""));
            self.is_live = true;
        }
    }

    fn show_new(&mut self, verification: &Verification) {
        match &self.mode {
            Mode::Nobody => {}
            Mode::Events => self.event("code", &json!(verification)),
            Mode::Person(term) => {
                let _ = term.write_line(&text(verification));
                let page = verification.verification_uri_complete.as_ref();
                let page = page.unwrap_or(&verification.verification_uri);
                if self.extras.qr && term.is_term() {
                    let _ = term.write_line(&qr(page));
                }
                if self.extras.open && open::that_detached(page).is_err() {
                    say("there is no browser to open here; use the URL above");
                }
            }
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_live)
            && let Some(term) = self.terminal()
        {
            let _ = term.clear_line();
        }
    }

    /// Says who is signed in, if somebody was asked for it.
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
            Mode::Person(_) if self.shown.take().is_some() => {
                say(&format!("signed in as {}", account.username()));
            }
            _ => {}
        }
    }

    pub fn failed(&mut self, error: &Error) {
        self.clear();
        let event = match error.kind {
            Kind::Denied => "denied",
            Kind::LoginExpired => "expired",
            Kind::LoginCancelled => "cancelled",
            _ => "failed",
        };
        self.event(event, &json!({ "error": error }));
    }

    /// After a code expired: whether somebody may want another one; `wanted` hears whether that is so.
    pub fn offers_fresh_code(&mut self, wanted: impl FnOnce(bool) + Send + 'static) -> bool {
        self.clear();
        if let Mode::Events = self.mode {
            self.event("expired", &json!({}));
            wanted(true);
            return true;
        }
        if self.is_terminal() {
            say("the code has expired; press Enter for a fresh one, or Ctrl-C to stop");
            when_typed(|line| wanted(line.is_some()));
        }
        self.is_terminal()
    }

    /// One line of JSON. A reader that has gone is no reason to stop.
    fn event(&mut self, name: &str, more: &Value) {
        if let Mode::Events = self.mode {
            let mut event = json!({ "event": name });
            if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
                event.extend(more.clone());
            }
            let _ = writeln!(std::io::stdout(), "{event}");
            self.last_event = clock::now();
        }
    }
}

fn text(verification: &Verification) -> String {
    let reason = verification.reason.as_ref().map(|reason| format!("codex-credential: {reason}\n"));
    let left = time_left(verification.expires_at - clock::now());
    let complete = verification.verification_uri_complete.as_ref();
    let complete =
        complete.map(|url| format!("\n(or this page, which has the code in it:)\n\n{url}\n"));
    format!(
        "{}codex-credential: to sign in, open this page in a browser on any device:\n\n\
         {}\n\n\
         and enter this code, which is good for {left} (never share it):\n\n\
         {}\n{}",
        reason.unwrap_or_default(),
        verification.verification_uri,
        verification.user_code,
        complete.unwrap_or_default(),
    )
}

/// Black on white by explicit colours, for a scanner reads no inverted code, and terminals have either background.
fn qr(url: &str) -> String {
    let Ok(code) = QrCode::new(url) else { return String::new() };
    let blocks = code.render::<Dense1x2>().build();
    let lines = blocks.lines().map(|line| format!("\x1b[38;5;16;48;5;231m{line}\x1b[0m"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a camera sees it: a block is black, its absence white.
    #[test]
    fn a_scanner_reads_the_url_from_the_blocks() {
        let url = "https://auth.openai.com/codex/device";
        let drawn = qr(url);
        let rows: Vec<Vec<char>> = drawn
            .lines()
            .map(|line| {
                line.split('m').nth(1).unwrap().trim_end_matches("\x1b[0").chars().collect()
            })
            .collect();
        let (width, scale) = (rows[0].len(), 4);
        let is_black = |x: usize, y: usize| {
            let (x, y) = (x / scale, y / scale);
            match rows[y / 2][x] {
                '\u{2588}' => true,
                '\u{2580}' => y % 2 == 0,
                '\u{2584}' => y % 2 == 1,
                _ => false,
            }
        };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(
            width * scale,
            rows.len() * 2 * scale,
            |x, y| if is_black(x, y) { 0 } else { 255 },
        );
        let grids = image.detect_grids();
        assert_eq!(grids[0].decode().unwrap().1, url);
    }
}
