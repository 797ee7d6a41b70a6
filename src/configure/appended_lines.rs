//! Lines that we append to a text and remove again, with every other byte kept.
//!
//! TOML libraries do not keep every byte: `toml_edit` drops the byte order mark and carriage returns, adds the final
//! newline, and removes spaces around the dots of a key. So we append whole lines, and the text itself records what
//! to restore: our lines end without a newline if the original text did, and a file that is nothing but our lines and
//! a newline did not exist before.

use crate::configure::text_file::malformed;
use crate::error::Result;
use std::path::Path;

/// Returns `text` with `lines` at its end, in the line ends that `text` has. `None` stands for no file.
pub fn append(text: Option<&str>, lines: &[String]) -> String {
    let Some(text) = text else { return lines.join("\n") + "\n" };
    let newline = newline(text);
    let lines = lines.join(newline);
    if text.is_empty() {
        lines
    } else if text.ends_with('\n') {
        format!("{text}{lines}{newline}")
    } else {
        format!("{text}{newline}{lines}")
    }
}

/// Checks that a line appended to `text` does not continue its last line.
///
/// # Errors
/// `Configuration` when the last line ends with a backslash.
pub fn refuse_continued_line(path: &Path, text: Option<&str>) -> Result<()> {
    let text = text.unwrap_or_default();
    if text.trim_end_matches(['\r', '\n']).ends_with('\\') {
        return Err(malformed(path, text.lines().count(), "the last line ends with a backslash"));
    }
    Ok(())
}

fn newline(text: &str) -> &'static str {
    let is_crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if is_crlf { "\r\n" } else { "\n" }
}

/// A text without our lines.
pub struct Removed<'a> {
    /// `None` if there was no file before we appended.
    pub text: Option<String>,
    /// The part of `text` that followed our lines.
    pub after: &'a str,
}

/// Removes `lines` from `text`. Returns `None` if they are not there exactly as [`append`] wrote them.
pub fn remove<'a>(text: &'a str, lines: &[String]) -> Option<Removed<'a>> {
    ["\n", "\r\n"].into_iter().find_map(|newline| {
        let ours = lines.join(newline);
        if text == format!("{ours}\n") {
            return Some(Removed { text: None, after: "" });
        }
        let starts_line = |at: usize| at == 0 || text[..at].ends_with('\n');
        let at = text.match_indices(&ours).map(|(at, _)| at).find(|at| starts_line(*at))?;
        let (before, after) = (&text[..at], &text[at + ours.len()..]);
        if after.is_empty() {
            let before = before.strip_suffix(newline).unwrap_or(before);
            return Some(Removed { text: Some(before.to_owned()), after });
        }
        let after = after.strip_prefix(newline)?;
        Some(Removed { text: Some(format!("{before}{after}")), after })
    })
}
