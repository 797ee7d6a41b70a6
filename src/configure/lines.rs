//! Lines that we add to a text and remove again, with every other byte kept.
//!
//! TOML libraries do not keep every byte: `toml_edit` drops the byte order mark and carriage returns, adds the final
//! newline, and removes spaces around the dots of a key. So we append whole lines, and the text itself records what
//! to restore: our lines end without a newline if the original text did, and a file that is nothing but our lines and
//! a newline did not exist before.

use crate::configure::context::Context;
use crate::configure::entry::{Entry, EntryState};
use crate::configure::helpers;
use crate::configure::text_file::{line_of, malformed};
use crate::error::{Error, Kind, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Table;

/// The start of the comment above our lines, which the command that removes them follows.
const COMMENT: &str = "# by codex-credential; to undo: ";

/// A comment and the lines after it.
pub struct Lines {
    pub path: PathBuf,
    /// The command that removes the lines.
    pub undo: String,
    /// Each line as a part that identifies our entry, and a value. The first identifies the entry among ours.
    pub lines: Vec<(String, String)>,
    pub format: Format,
}

/// Returns one line of [`Lines`].
pub fn line(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// What the lines must not conflict with.
pub enum Format {
    /// TOML tables of the same name.
    TomlTables,
    /// The same keys of TOML's root table. Our lines go first, because every key after a table's name belongs to the table.
    TomlKeys,
    /// Another helper for the host in git's configuration.
    Git { host: String, helper: String },
    /// Another helper for the host in a `.bazelrc`.
    Bazel { host: String, helper: String },
}

impl Lines {
    pub fn entry(
        context: &Context,
        path: &Path,
        lines: Vec<(String, String)>,
        format: Format,
    ) -> Box<dyn Entry> {
        Box::new(Self { path: path.to_owned(), undo: context.undo.clone(), lines, format })
    }

    fn written(&self) -> Vec<String> {
        let lines = self.lines.iter().map(|(key, value)| format!("{key}{value}"));
        [format!("{COMMENT}{}", self.undo)].into_iter().chain(lines).collect()
    }

    /// Returns where our lines are, with any values, without the line end of the last.
    ///
    /// # Errors
    /// `Configuration` when our lines were edited.
    fn find(&self, text: &str) -> Result<Option<Range<usize>>> {
        // A line without a value has to be the same.
        let is_ours = |found: &str, (key, value): &(String, String)| {
            found.strip_prefix(key.as_str()).is_some_and(|rest| value.is_empty() == rest.is_empty())
        };
        let comments = text.match_indices(COMMENT).map(|(at, _)| at);
        let starts_line = |at: &usize| *at == bom(text).len() || text[..*at].ends_with('\n');
        for start in comments.filter(starts_line) {
            let mut found = text[start..].lines().skip(1);
            if !found.next().is_some_and(|first| is_ours(first, &self.lines[0])) {
                continue;
            }
            let mut others = self.lines[1..].iter();
            if !others.all(|line| found.next().is_some_and(|found| is_ours(found, line))) {
                return Err(self.edited());
            }
            let lines = text[start..].split_inclusive('\n').take(1 + self.lines.len());
            let end = start + lines.map(str::len).sum::<usize>();
            let length = text[start..end].trim_end_matches(['\r', '\n']).len();
            return Ok(Some(start..start + length));
        }
        Ok(None)
    }

    fn edited(&self) -> Error {
        let path = self.path.display();
        let message =
            format!("cannot remove the entry from {path}: configure did not write this form");
        Error::new(Kind::Configuration, message).hint("remove it by hand")
    }

    /// Describes the first helper of another program.
    fn other_helper(&self, text: &str) -> Result<Option<String>> {
        let (found, host, ours) = match &self.format {
            Format::TomlTables | Format::TomlKeys => return Ok(None),
            Format::Git { host, helper } => (helpers::git(&self.path, host)?, host, helper),
            Format::Bazel { host, helper } => (helpers::bazel(text, host), host, helper),
        };
        let other = found.into_iter().find(|helper| !helper.is_empty() && helper != ours);
        Ok(other.map(|helper| format!("already has a helper for {host}: {helper}")))
    }

    /// Refuses a text that is not TOML, or that our lines would make invalid.
    fn check_toml(&self, text: &str, added: &str) -> Result<()> {
        parse_toml(&self.path, text)?;
        toml::from_str::<Table>(added).map(drop).map_err(|error| {
            let (path, name) = (self.path.display(), self.lines[0].0.trim_end_matches(" = "));
            let message = format!("cannot add {name} to {path}: {}", error.message());
            let hint = if let Format::TomlTables = self.format {
                &format!("remove the entries of that name, and write inline tables as tables such as {name}")
            } else {
                "remove the entries of that name"
            };
            Error::new(Kind::Configuration, message).hint(hint)
        })
    }
}

impl Entry for Lines {
    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let text = text.unwrap_or_default();
        let other = self.other_helper(text)?;
        let Some(found) = self.find(text)? else {
            return Ok(other.map_or(EntryState::Absent, EntryState::Other));
        };
        let is_current = text[found].lines().eq(self.written());
        Ok(if is_current { EntryState::Current } else { EntryState::Outdated })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let added = match &self.format {
            Format::TomlKeys => prepend(text, &self.written()),
            _ => append(text, &self.written()),
        };
        let text = text.unwrap_or_default();
        if let Format::TomlTables | Format::TomlKeys = self.format {
            self.check_toml(text, &added)?;
        } else if text.trim_end_matches(['\r', '\n']).ends_with('\\') {
            // Our first line would continue it.
            let what = "the last line ends with a backslash";
            return Err(malformed(&self.path, text.lines().count(), what));
        }
        Ok(added)
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let Some(found) = self.find(text)? else { return Ok(Some(text.to_owned())) };
        let (before, after) = (&text[..found.start], &text[found.end..]);
        let newline = if text[found].contains("\r\n") { "\r\n" } else { "\n" };
        if after.is_empty() {
            return Ok(Some(before.strip_suffix(newline).unwrap_or(before).to_owned()));
        }
        let after = after.strip_prefix(newline).ok_or_else(|| self.edited())?;
        if before.is_empty() && after.is_empty() {
            return Ok(None);
        }
        // Keys that were added to our section would become keys of the section before it, and a table that was added
        // to our table would remain without it.
        let has_section = self.lines.iter().any(|(key, _)| key.starts_with('['));
        let inner_table = self.lines[0].0.replace(']', ".");
        if has_section && (starts_with_key(after) || after.contains(&inner_table)) {
            return Err(self.edited());
        }
        Ok(Some(format!("{before}{after}")))
    }
}

/// # Errors
/// `Configuration` with the line, if the text is not TOML.
pub fn parse_toml(path: &Path, text: &str) -> Result<Table> {
    toml::from_str::<Table>(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text.as_bytes(), span.start));
        malformed(path, line, error.message())
    })
}

/// Returns `text` with `lines` at its end, in the line ends that `text` has. `None` stands for no file.
pub fn append(text: Option<&str>, lines: &[String]) -> String {
    let Some(text) = text else { return lines.join("\n") + "\n" };
    let newline = newline_of(text);
    let lines = lines.join(newline);
    if text.is_empty() {
        lines
    } else if text.ends_with('\n') {
        format!("{text}{lines}{newline}")
    } else {
        format!("{text}{newline}{lines}")
    }
}

/// Returns `text` with `lines` at its start, after a byte order mark.
fn prepend(text: Option<&str>, lines: &[String]) -> String {
    let (bom, rest) = text.unwrap_or_default().split_at(bom(text.unwrap_or_default()).len());
    if rest.is_empty() {
        return append(text, lines);
    }
    let newline = newline_of(rest);
    format!("{bom}{}{newline}{rest}", lines.join(newline))
}

fn bom(text: &str) -> &str {
    if text.starts_with('\u{feff}') { &text[..3] } else { "" }
}

fn newline_of(text: &str) -> &'static str {
    let is_crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if is_crlf { "\r\n" } else { "\n" }
}

/// Tells whether the text begins with a key, after comments and blank lines.
fn starts_with_key(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    first.is_some_and(|line| !line.starts_with('['))
}
