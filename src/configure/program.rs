//! This program, as others run it: by its absolute path, because what is started from a desktop has no PATH.

use crate::error::{Error, Kind, Result};
use crate::programs;
use std::path::{Path, PathBuf};

/// The arguments with which a token alone is printed.
pub const GET_TOKEN: [&str; 3] = ["get", "--format", "token"];

const NO_INPUT: &str = " </dev/null";

#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    text: String,
}

impl Program {
    pub fn this() -> Result<Self> {
        let path = programs::answering().map_err(|error| {
            Error::new(Kind::Storage, "cannot find this program's own path").caused_by(error)
        })?;
        let Some(text) = path.to_str().filter(|text| !text.contains(char::is_control)) else {
            let message = format!("{} cannot be written into a text file", path.display());
            return Err(Error::new(Kind::Usage, message).hint("install the program elsewhere"));
        };
        Ok(Self { text: text.to_owned(), path })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// A file in the program's own folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// Whether `path` is this program, there or elsewhere.
    pub fn is(&self, path: &str) -> bool {
        Path::new(path).file_name() == self.path.file_name()
    }

    /// The path as a word of a shell.
    pub fn quoted(&self) -> String {
        quoted(&self.text)
    }

    /// What a shell runs to get a token, with no input: Claude Code leaves it open, and sends nothing.
    pub fn get_token(&self) -> String {
        format!("{} {}{NO_INPUT}", self.quoted(), GET_TOKEN.join(" "))
    }

    /// Whether a shell that runs `command` gets a token from this program, there or elsewhere.
    pub fn gets_token(&self, command: &str) -> bool {
        let command = command.strip_suffix(NO_INPUT).unwrap_or(command);
        let program = command.strip_suffix(&GET_TOKEN.join(" ")).and_then(|c| c.strip_suffix(' '));
        program.is_some_and(|program| self.is(&unquoted(program)))
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

pub fn unquoted(word: &str) -> String {
    let inner = word.strip_prefix('\'').and_then(|word| word.strip_suffix('\''));
    inner.map_or_else(|| word.to_owned(), |inner| inner.replace(r"'\''", "'"))
}
