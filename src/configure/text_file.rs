//! A configuration file of another tool: read whole, shown as a difference, replaced whole.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::private;
use crate::storage::files::{follow_links, read, replace_and_open};
use crate::ui;
use std::fs;
use std::path::{Path, PathBuf};

pub struct TextFile {
    path: PathBuf,
    /// `path` with its symbolic links resolved.
    target: PathBuf,
    /// `None` if there is no file.
    text: Option<String>,
}

impl TextFile {
    pub fn read(path: &Path) -> Result<Self> {
        let target = follow_links(path);
        let text = read(&target)?.map(|bytes| utf8(path, &bytes)).transpose()?;
        Ok(Self { path: path.to_owned(), target, text })
    }

    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Shows on standard error what is added and removed, without the text around it, which may hold a secret. With
    /// `is_forced`, the removed text is not shown either.
    pub fn show(&self, after: Option<&str>, is_forced: bool) {
        let (removed, added) =
            difference(self.text().unwrap_or_default(), after.unwrap_or_default());
        ui::line(&format!("{}:", self.path.display()));
        if !is_forced {
            removed.lines().for_each(|line| ui::line(&format!("-{line}")));
        }
        added.lines().for_each(|line| ui::line(&format!("+{line}")));
        if is_forced && !removed.is_empty() {
            ui::say("this overwrites the other entry; unconfigure cannot restore it");
        }
    }

    /// Writes `after`, or removes the file if it is `None`. Returns its path.
    pub fn write_or_delete(&self, after: Option<&str>) -> Result<&Path> {
        if let Some(text) = after {
            self.write(text)?;
        } else {
            self.refuse_concurrent_change()?;
            fs::remove_file(&self.target).context("remove", &self.path)?;
        }
        Ok(&self.path)
    }

    pub fn write(&self, text: &str) -> Result<()> {
        self.refuse_concurrent_change()?;
        if let Some(folder) = self.target.parent().filter(|folder| !folder.exists()) {
            private::create_dir(folder)?;
        }
        // A file keeps its permissions; only the owner can read a new one.
        let permissions = fs::metadata(&self.target).ok().map(|metadata| metadata.permissions());
        replace_and_open(&self.target, text.as_bytes(), permissions.as_ref()).map(drop)
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

/// Returns the text that only `old` has and the text that only `new` has, between what both begin and end with.
fn difference<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let same = |(old, new): &(char, char)| old == new;
    let length =
        |same: &mut dyn Iterator<Item = (char, char)>| same.map(|(c, _)| c.len_utf8()).sum();
    let head: usize = length(&mut old.chars().zip(new.chars()).take_while(same));
    let (old, new) = (&old[head..], &new[head..]);
    let tail: usize = length(&mut old.chars().rev().zip(new.chars().rev()).take_while(same));
    (&old[..old.len() - tail], &new[..new.len() - tail])
}
