//! Our lines at the end of a text, such that taking them out leaves what was there before, byte for byte.
//!
//! What has to be remembered for that is in the text itself: where the last line had no newline, neither has ours;
//! and a text that is nothing but our lines with their newline is a file that we made.

use crate::configure::file::malformed;
use crate::error::Result;
use std::path::Path;

/// The text with `lines` at its end, with the line ends that it has.
///
/// # Errors
/// `Configuration` when the last line goes on in the next one.
pub fn append(path: &Path, text: Option<&str>, lines: &[String]) -> Result<String> {
    let text = text.map(|text| (text, newline(text)));
    Ok(match text {
        None => lines.join("\n") + "\n",
        Some(("", newline)) => lines.join(newline),
        Some((text, _)) if text.trim_end_matches(['\r', '\n']).ends_with('\\') => {
            return Err(malformed(
                path,
                text.lines().count(),
                "the last line ends with a backslash",
            ));
        }
        Some((text, newline)) if text.ends_with('\n') => {
            format!("{text}{}{newline}", lines.join(newline))
        }
        Some((text, newline)) => format!("{text}{newline}{}", lines.join(newline)),
    })
}

fn newline(text: &str) -> &'static str {
    let is_crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if is_crlf { "\r\n" } else { "\n" }
}

/// What is left when our lines are taken out.
pub struct Rest {
    /// `None` is no file.
    pub text: Option<String>,
    /// Whether the section that our lines begin goes on behind them: what is there would go over to the section before.
    pub goes_on: bool,
}

/// The text without `lines`, which are at least two; `None` when they are not in it as they were appended.
pub fn cut(text: &str, lines: &[String]) -> Option<Rest> {
    ["\n", "\r\n"].into_iter().find_map(|newline| {
        let ours = lines.join(newline);
        if text == format!("{ours}\n") {
            return Some(Rest { text: None, goes_on: false });
        }
        let is_line = |at: usize| at == 0 || text[..at].ends_with('\n');
        let at = text.match_indices(&ours).map(|(at, _)| at).find(|at| is_line(*at))?;
        let (before, after) = (&text[..at], &text[at + ours.len()..]);
        if after.is_empty() {
            let text = Some(before.strip_suffix(newline).unwrap_or(before).to_owned());
            return Some(Rest { text, goes_on: false });
        }
        let after = after.strip_prefix(newline)?;
        Some(Rest { text: Some(format!("{before}{after}")), goes_on: goes_on(after) })
    })
}

fn goes_on(after: &str) -> bool {
    let is_comment = |line: &str| line.is_empty() || line.starts_with(['#', ';']);
    let next = after.lines().map(str::trim).find(|line| !is_comment(line));
    next.is_some_and(|line| !line.starts_with('['))
}
