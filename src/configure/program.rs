//! This program, as others run it: by its absolute path, because what is started from a desktop has no PATH.

use crate::error::{Error, Kind, Result};
use crate::programs;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The arguments with which a token alone is printed.
const GET_TOKEN: [&str; 3] = ["get", "--format", "token"];

const PROFILE: &str = "--profile";
const NO_INPUT: &str = " </dev/null";

#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    text: String,
    /// The folder of `path` is on the PATH.
    pub is_on_path: bool,
    /// The profile that the written command names.
    profile: Option<String>,
}

impl Program {
    /// Finds the path that survives an upgrade: the entry on the PATH that leads to this program, for the program may
    /// lie in a folder with the release in its name. Otherwise the program's own path.
    pub fn this(
        variable: &dyn Fn(&str) -> Option<OsString>,
        profile: Option<String>,
    ) -> Result<Self> {
        let own = programs::front().map_err(|error| {
            Error::new(Kind::Storage, "cannot find this program's own path").caused_by(error)
        })?;
        let entry = entry_on_path(&own, variable("PATH"));
        let is_on_path = entry.is_some();
        let path = entry.unwrap_or(own);
        let Some(text) = path.to_str().filter(|text| !text.contains(char::is_control)) else {
            let message = format!("{} cannot be written into a text file", path.display());
            return Err(Error::new(Kind::Usage, message).hint("install the program elsewhere"));
        };
        Ok(Self { text: text.to_owned(), path, is_on_path, profile })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Tells whether `path` is this program, at this path or at another one.
    pub fn is(&self, path: &str) -> bool {
        Path::new(path).file_name() == self.path.file_name()
    }

    /// The path as a word of a shell.
    pub fn quoted(&self) -> String {
        quoted(&self.text)
    }

    /// The arguments to get a token.
    pub fn get_token_args(&self) -> Vec<&str> {
        let named = self.profile().into_iter().flat_map(|name| [PROFILE, name]);
        GET_TOKEN.into_iter().chain(named).collect()
    }

    /// What a shell runs to get a token, with no input: Claude Code leaves it open, and sends nothing.
    pub fn get_token(&self) -> String {
        let args = GET_TOKEN.join(" ");
        format!("{} {args}{}{NO_INPUT}", self.quoted(), option(self.profile()))
    }

    /// Tells whether a shell that runs `command` gets a token from this program, at this path or at another one, with
    /// or without a profile.
    pub fn gets_token(&self, command: &str) -> bool {
        let command = command.strip_suffix(NO_INPUT).unwrap_or(command);
        let Some((program, rest)) = command.rsplit_once(&format!(" {}", GET_TOKEN.join(" ")))
        else {
            return false;
        };
        self.is(&unquoted(program)) && without_option(rest).is_empty()
    }
}

/// The first `codex-credential` on the PATH that leads to the program `own`.
fn entry_on_path(own: &Path, path: Option<OsString>) -> Option<PathBuf> {
    let (target, name) = (own.canonicalize().ok()?, own.file_name()?);
    let path = path?;
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let mut entries = folders.map(|folder| folder.join(name));
    entries.find(|entry| entry.canonicalize().is_ok_and(|leads_to| leads_to == target))
}

/// ` --profile NAME` for a shell; empty without a name.
pub fn option(profile: Option<&str>) -> String {
    profile.map_or(String::new(), |name| format!(" {PROFILE} {}", quoted(name)))
}

/// A command without the ` --profile NAME` at its end.
pub fn without_option(command: &str) -> &str {
    command.rsplit_once(&format!(" {PROFILE} ")).map_or(command, |(program, _)| program)
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
