//! A configuration file of another tool: read whole, shown as a difference, replaced whole.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::storage::files::{follow_links, read, replace, replace_with_permissions};
use crate::storage::login_dir::create_private;
use crate::ui;
use std::fs;
use std::path::{Path, PathBuf};

const BYTE_ORDER_MARK: char = '\u{feff}';

pub struct TextFile {
    path: PathBuf,
    /// `path` with its symbolic links resolved.
    target: PathBuf,
    /// The text after the byte order mark; `None` if there is no file.
    text: Option<String>,
    has_byte_order_mark: bool,
}

impl TextFile {
    pub fn read(path: &Path) -> Result<Self> {
        let target = follow_links(path);
        let bytes = read(&target)?;
        let mut text = bytes.map(|bytes| utf8(path, &bytes)).transpose()?;
        let has_byte_order_mark = text.as_ref().is_some_and(|t| t.starts_with(BYTE_ORDER_MARK));
        if has_byte_order_mark {
            text = text.map(|text| text[BYTE_ORDER_MARK.len_utf8()..].to_owned());
        }
        Ok(Self { path: path.to_owned(), target, text, has_byte_order_mark })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Shows the difference on standard error. With `conceal`, the removed text is not shown, because it may hold a
    /// secret.
    pub fn show(&self, after: Option<&str>, conceal: bool) {
        let before = self.text.as_deref();
        let name = |text: Option<&str>| match text {
            Some(_) => self.path.display().to_string(),
            None => "/dev/null".to_owned(),
        };
        let change = difference(before.unwrap_or_default(), after.unwrap_or_default(), conceal);
        ui::line(&format!("--- {}\n+++ {}", name(before), name(after)));
        ui::line(change.trim_end_matches('\n'));
    }

    pub fn write(&self, text: &str) -> Result<()> {
        self.refuse_concurrent_change()?;
        let mark =
            if self.has_byte_order_mark { BYTE_ORDER_MARK.to_string() } else { String::new() };
        let bytes = mark + text;
        if let Some(folder) = self.target.parent().filter(|folder| !folder.exists()) {
            create_private(folder)?;
        }
        // A file keeps its permissions; only the owner can read a new one.
        match fs::metadata(&self.target) {
            Ok(metadata) => {
                replace_with_permissions(&self.target, bytes.as_bytes(), &metadata.permissions())
            }
            Err(_) => replace(&self.target, bytes.as_bytes()),
        }
    }

    pub fn delete(&self) -> Result<()> {
        self.refuse_concurrent_change()?;
        fs::remove_file(&self.target).context("remove", &self.path)
    }

    fn refuse_concurrent_change(&self) -> Result<()> {
        if Self::read(&self.path)?.text == self.text {
            return Ok(());
        }
        let message = format!("another program changed {} in the meantime", self.path.display());
        Err(Error::new(Kind::Busy, message).hint("run the command again"))
    }
}

fn utf8(path: &Path, bytes: &[u8]) -> Result<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let line = line_of(bytes, error.valid_up_to());
        malformed(path, line, "not UTF-8")
    })
}

/// Returns the number of the line that contains the byte at `offset`.
pub fn line_of(text: &[u8], offset: usize) -> usize {
    text[..offset].split(|byte| *byte == b'\n').count()
}

pub fn malformed(path: &Path, line: usize, what: &str) -> Error {
    Error::new(Kind::Configuration, format!("{}, line {line}: {what}", path.display()))
        .hint("correct it and run the command again")
}

/// Returns the lines that differ. If a line is changed within, only the changed part is shown, because the rest may
/// hold a secret.
fn difference(before: &str, after: &str, conceal: bool) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let mut shown = format!("@@ -{0},{1} +{0},{2} @@\n", head + 1, old.len(), new.len());
    let mut add = |sign: char, text: &str| {
        text.lines().for_each(|line| shown.extend([&sign.to_string(), line, "\n"]));
    };
    let (old, new) = (old.join("\n"), new.join("\n"));
    if old.is_empty() || new.is_empty() {
        add('-', &old);
        add('+', &new);
        return shown;
    }
    let (old, new) = without_common_ends(&old, &new);
    if conceal {
        add('-', "(the other entry)");
    } else if !old.is_empty() {
        add('-', &format!("…{old}…"));
    }
    if !new.is_empty() {
        add('+', &format!("…{new}…"));
    }
    shown
}

fn without_common_ends<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let same = |(old, new): &(char, char)| old == new;
    let length =
        |common: Vec<(char, char)>| common.iter().map(|(c, _)| c.len_utf8()).sum::<usize>();
    let head = length(old.chars().zip(new.chars()).take_while(same).collect());
    let (old, new) = (&old[head..], &new[head..]);
    let ends = old.chars().rev().zip(new.chars().rev());
    let tail = length(ends.take_while(same).collect());
    (&old[..old.len() - tail], &new[..new.len() - tail])
}
