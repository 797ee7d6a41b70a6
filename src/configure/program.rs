//! The command that other programs run: the absolute path of this program, because a program started from a desktop
//! may have another PATH.

use crate::error::{Error, Kind, Result};
use crate::programs;
use crate::quote;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The operation that prints the authorization header as JSON.
const HEADERS: &str = " get --format headers";

#[derive(Clone, Debug)]
pub struct Program {
    /// An absolute path on one line.
    pub path: String,
    /// The profile that the command names. The name of a profile needs no quotes in any language.
    pub profile: Option<String>,
}

impl Program {
    /// Finds the path that survives an upgrade: the entry on the PATH that leads to this program, because a package
    /// manager may install each release in its own folder. Otherwise uses the program's own path.
    pub fn this(search_path: Option<OsString>, profile: Option<String>) -> Result<Self> {
        let own = programs::front().map_err(|error| {
            Error::new(Kind::Storage, "cannot find the path of this program").caused_by(error)
        })?;
        Self::at(&entry_on_path(&own, search_path).unwrap_or(own), profile)
    }

    pub fn at(path: &Path, profile: Option<String>) -> Result<Self> {
        let path = one_line(path, "install the program in another folder")?;
        Ok(Self { path, profile })
    }

    /// Returns ` --profile NAME` for a shell command, or nothing if the command names no profile.
    pub fn profile_option(&self) -> String {
        self.profile.as_ref().map(|name| format!(" --profile {name}")).unwrap_or_default()
    }

    /// Returns `-NAME`, for the name of an entry or timer of one profile, or nothing.
    pub fn suffix(&self) -> String {
        self.profile.as_ref().map(|name| format!("-{name}")).unwrap_or_default()
    }

    /// Returns the shell command that prints the access token.
    pub fn token_command(&self) -> String {
        format!("{} token{}", quote::shell(&self.path), self.profile_option())
    }

    /// Returns the shell command that prints the authorization header as JSON.
    pub fn headers_command(&self) -> String {
        format!("{}{HEADERS}{}", quote::shell(&self.path), self.profile_option())
    }

    /// Tells whether the shell command prints the access token of this program, in any folder and with any profile.
    pub fn prints_token(&self, command: &str) -> bool {
        self.runs(command, " token")
    }

    /// Tells whether the shell command prints the authorization header, in any folder, with any profile and variables.
    pub fn prints_headers(&self, command: &str) -> bool {
        self.runs(command, HEADERS)
    }

    fn runs(&self, command: &str, operation: &str) -> bool {
        let Some((program, rest)) = command.rsplit_once(operation) else { return false };
        let profile = rest.strip_prefix(" --profile ");
        Path::new(program.trim_matches('\'')).file_name() == Path::new(&self.path).file_name()
            && (rest.is_empty() || profile.is_some_and(|name| !name.contains(' ')))
    }
}

/// Returns the first `codex-credential` on the PATH that leads to the program `own`.
fn entry_on_path(own: &Path, path: Option<OsString>) -> Option<PathBuf> {
    let (target, name) = (own.canonicalize().ok()?, own.file_name()?);
    let path = path?;
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let mut entries = folders.map(|folder| folder.join(name));
    entries.find(|entry| entry.canonicalize().is_ok_and(|leads_to| leads_to == target))
}

/// Returns the path as text. Refuses a path that is not UTF-8 or not one line.
pub fn one_line(path: &Path, hint: &str) -> Result<String> {
    let Some(text) = path.to_str() else {
        let message = format!("the path {:?} is not UTF-8", path.to_string_lossy());
        return Err(Error::new(Kind::Usage, message).hint(hint));
    };
    quote::refuse_control_characters(text)?;
    Ok(text.to_owned())
}
