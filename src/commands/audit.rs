//! `audit`: shows what was done with the user's logins, and for which program.

use crate::audit::Entry;
use crate::clock;
use crate::error::Result;
use crate::storage::audit_log::Log;
use std::fmt::Write;

/// Returns the entries since `since`, in seconds since the epoch: the lines of the log, or a table.
pub fn audit(since: Option<i64>, as_json: bool) -> Result<String> {
    let mut text = String::new();
    for line in Log::of_user()?.lines()? {
        // A later version may have written the line, or the disk was full: skip it.
        let Ok(entry) = serde_json::from_str::<Entry>(&line) else { continue };
        if since.is_some_and(|since| entry.at < since) {
            continue;
        }
        let line = if as_json { line } else { row(&entry) };
        writeln!(text, "{line}").expect("a String takes all text");
    }
    Ok(text)
}

fn row(entry: &Entry) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let action = serde_json::to_value(entry.action).unwrap_or_default();
    let program = Some(entry.caller.program.as_str()).filter(|program| !program.is_empty());
    format!(
        "{}  {:<8} {:<21} {:<9} {:<24} {:<13} {} ({})",
        clock::rfc3339(entry.at),
        action.as_str().unwrap_or_default(),
        entry.outcome,
        entry.profile,
        or_none(&entry.account),
        or_none(&entry.token),
        program.unwrap_or("?"),
        entry.caller.pid
    )
}
