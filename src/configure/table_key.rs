//! One key of a TOML table that has a header of its own, on the line after the header.
//!
//! The value alone tells whose the key is: Codex drops the comments of a table that it rewrites.

use crate::configure::entry::{Entry, EntryState};
use crate::configure::lines::{append, parse_toml};
use crate::error::{Error, Kind, Result};
use crate::quote;
use std::ops::Range;
use std::path::PathBuf;
use toml::{Table, Value};

pub struct TableKey {
    pub path: PathBuf,
    /// The names in the table's header.
    pub table: Vec<String>,
    pub key: String,
    pub value: String,
    /// Tells whether another value was written by configure.
    pub is_ours: Box<dyn Fn(&str) -> bool>,
}

impl TableKey {
    fn in_table<'t>(&self, root: &'t Table) -> Option<&'t Value> {
        let mut names = self.table.iter();
        let mut table = root.get(names.next()?)?;
        for name in names {
            table = table.get(name)?;
        }
        table.get(&self.key)
    }

    /// Returns where the lines below the table's header are.
    fn section(&self, text: &str) -> Option<Range<usize>> {
        let (mut start, mut end) = (None, 0);
        for line in text.split_inclusive('\n') {
            if start.is_some() && line.trim_start().starts_with('[') && is_toml(line) {
                break;
            }
            end += line.len();
            // Text inside a string can look like a header.
            if start.is_none() && is_header(line, &self.table) && is_toml(&text[..end - line.len()])
            {
                start = Some(end);
            }
        }
        start.map(|start| start..end)
    }

    /// Returns where the line of the key is, with its line end.
    fn line(&self, text: &str) -> Option<Range<usize>> {
        let section = self.section(text)?;
        let mut start = section.start;
        for line in text[section].split_inclusive('\n') {
            let is_key = line.trim_start().starts_with(&self.key)
                && toml::from_str::<Table>(line).is_ok_and(|table| table.contains_key(&self.key));
            if is_key {
                return Some(start..start + line.len());
            }
            start += line.len();
        }
        None
    }

    fn error(&self, what: &str, hint: impl Into<String>) -> Error {
        let path = self.path.display();
        Error::new(Kind::Configuration, format!("{path} {what}")).hint(hint)
    }
}

impl Entry for TableKey {
    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let root = parse_toml(&self.path, text.unwrap_or_default())?;
        Ok(match self.in_table(&root).map(|value| value.as_str().unwrap_or_default()) {
            None => EntryState::Absent,
            Some(value) if value == self.value => EntryState::Current,
            Some(value) if (self.is_ours)(value) => EntryState::Outdated,
            Some(_) => {
                let name = format!("{}.{}", self.table.join("."), self.key);
                EntryState::Other(format!("already has another {name}"))
            }
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let text = text.unwrap_or_default();
        let header = self.table.join(".");
        let Some(section) = self.section(text) else {
            let what = format!("has no table [{header}]");
            return Err(self.error(&what, "write the table with such a header"));
        };
        let (before, after) = text.split_at(section.start);
        let line = format!("{} = {}", self.key, quote::json(&self.value));
        Ok(append(Some(before), &[line]) + after)
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let Some(line) = self.line(text) else {
            let what = format!("has {} in a form that configure did not write", self.key);
            return Err(self.error(&what, "remove it by hand"));
        };
        let (before, after) = (&text[..line.start], &text[line.end..]);
        if text.ends_with('\n') || !after.is_empty() {
            return Ok(Some(format!("{before}{after}")));
        }
        let before = before.strip_suffix('\n').unwrap_or(before);
        Ok(Some(before.strip_suffix('\r').unwrap_or(before).to_owned()))
    }
}

fn is_toml(text: &str) -> bool {
    toml::from_str::<Table>(text).is_ok()
}

/// Tells whether the line is the header of the TOML table with these names.
fn is_header(line: &str, names: &[String]) -> bool {
    let is_table = line.trim_start_matches('\u{feff}').trim_start().starts_with('[');
    let Some(mut table) = is_table.then(|| toml::from_str::<Table>(line).ok()).flatten() else {
        return false;
    };
    for name in names {
        match table.remove(name) {
            Some(Value::Table(inner)) => table = inner,
            _ => return false,
        }
    }
    table.is_empty()
}
