//! What the checks found, as text or as JSON.

use crate::error::{Error, Result};
use crate::visible::visible;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;

/// The result of one check.
#[derive(Debug, Serialize)]
pub struct Check {
    name: &'static str,
    /// "ok", "warning" or "failure".
    level: &'static str,
    found: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Default)]
pub struct Report(pub Vec<Check>);

impl Report {
    pub fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.0.push(Check { name, level: "ok", found: found.into(), next: None });
    }

    pub fn warn(&mut self, name: &'static str, found: impl Into<String>, next: impl Into<String>) {
        let (found, next) = (found.into(), Some(next.into()));
        self.0.push(Check { name, level: "warning", found, next });
    }

    pub fn fail(&mut self, name: &'static str, error: &Error) {
        let (found, next) = (error.text(), error.completed().hint);
        self.0.push(Check { name, level: "failure", found, next });
    }

    /// Returns the value. Reports the error instead, if there is one.
    pub fn value<T>(&mut self, name: &'static str, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.fail(name, &error)).ok()
    }

    pub fn result(&mut self, name: &'static str, result: Result<impl Into<String>>) {
        if let Some(found) = self.value(name, result) {
            self.ok(name, found);
        }
    }

    /// Returns the report as text or as a JSON object, and the exit code: 1 if a check failed. `show` keeps e-mail
    /// addresses.
    pub fn report(mut self, as_json: bool, show: bool) -> (String, u8) {
        for check in self.0.iter_mut().filter(|_| !show) {
            check.found = redacted(&check.found);
            check.next = check.next.as_deref().map(redacted);
        }
        let code = u8::from(self.0.iter().any(|check| check.level == "failure"));
        if as_json {
            let object = json!({ "ok": code == 0, "checks": self.0 });
            return (format!("{object}\n"), code);
        }
        let mut text = String::new();
        for Check { name, level, found, next } in &self.0 {
            let level = level.replace("failure", "FAILURE");
            let next = next.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
            let line = visible(&format!("{level:<9}{name:<13}{found}{next}"));
            writeln!(text, "{line}").expect("writing to a string does not fail");
        }
        (text, code)
    }
}

/// Shortens each e-mail address in `text`: `ada@example.com` becomes `a…@example.com`.
pub fn redacted(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let mut parts = text.split('@');
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let start = redacted.trim_end_matches(is_part).len();
        if let Some(first) = redacted[start..].chars().next() {
            redacted.truncate(start);
            redacted.push(first);
            redacted.push('…');
        }
        redacted.push('@');
        redacted.push_str(part);
    }
    redacted
}
