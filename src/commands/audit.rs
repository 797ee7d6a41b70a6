//! `audit`: shows the audit log.

use crate::audit::Entry;
use crate::clock;
use crate::error::Result;
use crate::storage::audit_log::Log;

/// Returns the entries since `since`, in seconds since the epoch: one line each, as JSON or as columns.
pub fn audit(since: Option<i64>, as_json: bool) -> Result<String> {
    let mut text = String::new();
    for line in Log::of_user()?.lines()? {
        // A line may be of another version, or cut short by a full disk.
        let Ok(entry) = serde_json::from_str::<Entry>(&line) else { continue };
        if since.is_none_or(|since| entry.at >= since) {
            text += &if as_json { line } else { row(&entry) };
            text.push('\n');
        }
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
