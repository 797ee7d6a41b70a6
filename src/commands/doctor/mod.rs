//! `doctor`: everything that a login depends on, looked at and tried, a line each. Can be pasted into an issue: nothing
//! of a token is in it, and of e-mail addresses the first letter.

mod codex;
mod configuration;
mod issuer;
mod keepalive;
pub mod locks;
mod logins;
mod mounts;
mod permissions;
mod storage;

use crate::error::{Error, Result};
use crate::profile::Profile;
use serde::Serialize;
use serde_json::json;
use std::ffi::OsString;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    Warning,
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    name: &'static str,
    level: Level,
    found: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Default)]
pub struct Report(Vec<Check>);

impl Report {
    /// Looks at all that `profile` depends on; at the configuration alone, where that is what is wrong.
    pub fn of(profile: Result<Profile>, variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let mut report = Self::default();
        configuration::check(&mut report, &profile, variable);
        let Ok(profile) = profile else { return report };
        codex::check(&mut report, &profile);
        storage::check(&mut report, &profile);
        permissions::check(&mut report, &profile);
        locks::check(&mut report, &profile);
        issuer::check(&mut report, &profile);
        logins::check(&mut report, &profile);
        keepalive::check(&mut report, &profile, variable);
        report
    }

    fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.0.push(Check { name, level: Level::Ok, found: found.into(), next: None });
    }

    fn warn(&mut self, name: &'static str, found: impl Into<String>, next: impl Into<String>) {
        let (found, next) = (found.into(), Some(next.into()));
        self.0.push(Check { name, level: Level::Warning, found, next });
    }

    fn fail(&mut self, name: &'static str, error: &Error) {
        let found = error.text();
        self.0.push(Check { name, level: Level::Failure, found, next: error.hint.clone() });
    }

    fn result(&mut self, name: &'static str, result: Result<impl Into<String>>) {
        match result {
            Ok(found) => self.ok(name, found),
            Err(error) => self.fail(name, &error),
        }
    }

    /// The text or the JSON object of it, and the exit code: 1 where something failed. `show` leaves e-mail addresses
    /// as they are.
    pub fn report(mut self, as_json: bool, show: bool) -> (String, u8) {
        for check in self.0.iter_mut().filter(|_| !show) {
            check.found = redacted(&check.found);
            check.next = check.next.as_deref().map(redacted);
        }
        let code = u8::from(self.0.iter().any(|check| check.level == Level::Failure));
        if as_json {
            let object = json!({ "ok": code == 0, "checks": self.0 });
            return (format!("{object}\n"), code);
        }
        let mut text = String::new();
        for Check { name, level, found, next } in &self.0 {
            let level = match level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Failure => "FAILURE",
            };
            let next = next.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
            let line = format!("{level:<9}{name:<13}{found}{next}").replace(char::is_control, "?");
            writeln!(text, "{line}").expect("a string takes all");
        }
        (text, code)
    }
}

/// `ada@example.com` becomes `a…@example.com`, wherever it stands.
fn redacted(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let mut parts = text.split('@');
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let kept = redacted.trim_end_matches(is_part).len();
        let first = redacted[kept..].chars().next();
        if let Some(first) = first {
            redacted.truncate(kept);
            redacted.push(first);
            redacted.push('…');
        }
        redacted.push('@');
        redacted.push_str(part);
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_first_letter_is_left() {
        for (text, is) in [
            ("ada@example.com", "a…@example.com"),
            (
                "of ada.b+c@example.com, not grace@example.org",
                "of a…@example.com, not g…@example.org",
            ),
            ("<ö@a>", "<ö…@a>"),
            ("a @ b", "a @ b"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redacted(text), is);
        }
    }
}
