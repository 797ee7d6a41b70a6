//! Lines that we append to a text and remove again, with every other byte kept.
//!
//! TOML libraries do not keep every byte: `toml_edit` drops the byte order mark and carriage returns, adds the final
//! newline, and removes spaces around the dots of a key. So we append whole lines, and the text itself records what
//! to restore: our lines end without a newline if the original text did, and a file that is nothing but our lines and
//! a newline did not exist before.

use crate::configure::text_file::malformed;
use crate::error::{Error, Kind, Result};
use std::path::Path;

/// Returns `text` with `lines` at its end, in the line ends that `text` has. `None` stands for no file.
pub fn append(text: Option<&str>, lines: &[String]) -> String {
    let Some(text) = text else { return lines.join("\n") + "\n" };
    let is_crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    let newline = if is_crlf { "\r\n" } else { "\n" };
    let lines = lines.join(newline);
    if text.is_empty() {
        lines
    } else if text.ends_with('\n') {
        format!("{text}{lines}{newline}")
    } else {
        format!("{text}{newline}{lines}")
    }
}

/// Refuses a text whose last line an appended line would continue.
pub fn refuse_continued_line(path: &Path, text: Option<&str>) -> Result<()> {
    let text = text.unwrap_or_default();
    if text.trim_end_matches(['\r', '\n']).ends_with('\\') {
        return Err(malformed(path, text.lines().count(), "the last line ends with a backslash"));
    }
    Ok(())
}

/// Removes the first of `candidates` that is in `text` exactly as [`append`] wrote it. Returns `None` if there was no
/// file before.
///
/// # Errors
/// `Configuration` when `text` has none of them, or when keys were added to the section that they end with.
pub fn remove(path: &Path, text: &str, candidates: &[Vec<String>]) -> Result<Option<String>> {
    for lines in candidates {
        let has_section = lines.iter().any(|line| line.starts_with('['));
        for newline in ["\n", "\r\n"] {
            let ours = lines.join(newline);
            if text == format!("{ours}\n") {
                return Ok(None);
            }
            let starts_line = |at: &usize| *at == 0 || text[..*at].ends_with('\n');
            let mut found = text.match_indices(&ours).map(|(at, _)| at);
            let Some(at) = found.find(starts_line) else { continue };
            let (before, after) = (&text[..at], &text[at + ours.len()..]);
            if after.is_empty() {
                return Ok(Some(before.strip_suffix(newline).unwrap_or(before).to_owned()));
            }
            // Keys that were added to our section would become keys of the section before it.
            if let Some(after) = after.strip_prefix(newline)
                && !(has_section && starts_with_key(after))
            {
                return Ok(Some(format!("{before}{after}")));
            }
        }
    }
    Err(edited(path))
}

/// Tells whether the text begins with a key, after comments and blank lines.
fn starts_with_key(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    first.is_some_and(|line| !line.starts_with('['))
}

/// Returns the error for an entry that calls us in a form that configure does not write.
pub fn edited(path: &Path) -> Error {
    let path = path.display();
    let message = format!("cannot remove the entry from {path}: configure did not write this form");
    Error::new(Kind::Configuration, message).hint("remove it by hand")
}
