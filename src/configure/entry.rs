//! One entry in another tool's file: what it is, where it lies, and how it is put in and taken out.

use crate::error::{Error, Kind, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What stands in a tool's file where our entry would.
pub enum State {
    Absent,
    /// What we would write.
    Current,
    /// Ours, of another place of the program or with other options.
    Outdated,
    /// Somebody else's, in the words that follow the file's name.
    Another(String),
}

/// One entry in one file. What it adds it can find and take out again from the text alone, so that nothing has to
/// be remembered between `configure` and `unconfigure`.
pub trait Entry {
    fn path(&self) -> &Path;

    /// # Errors
    /// `Configuration` when the text is not in the file's format.
    fn state(&self, text: Option<&str>) -> Result<State>;

    /// The text with our entry, where it is absent; `None` is no file.
    fn add(&self, text: Option<&str>) -> Result<String>;

    /// The text without our entry, where there is one; `None` is no file.
    fn remove(&self, text: &str) -> Result<Option<String>>;

    /// The text with our entry in the place of another's, and whether that one is lost by it.
    fn replace(&self, text: &str) -> Result<(String, bool)> {
        Ok((self.add(Some(text))?, false))
    }

    /// Where the tool will send the token, as the text that is added to says.
    fn sends_to(&self, _: Option<&str>) -> Result<Option<String>> {
        Ok(None)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show, and write nothing.
    pub print: bool,
    /// Replace another's entry.
    pub force: bool,
    /// The name of the model provider.
    pub name: Option<String>,
    /// The URL of the model provider.
    pub base_url: Option<String>,
    /// The profile that `--profile` names.
    pub profile: Option<String>,
}

/// The person's own folders, as the tools find them.
pub struct Folders<'a> {
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub home: PathBuf,
}

impl Folders<'_> {
    pub fn said(&self, variable: &str) -> Option<PathBuf> {
        (self.variable)(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// What a variable says, else a place in the home folder.
    pub fn of(&self, variable: &str, default: &str) -> PathBuf {
        self.said(variable).unwrap_or_else(|| self.home.join(default))
    }
}

/// The profile that the environment names. The written command names it too: what runs it has another environment.
pub fn named_by_variable(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    let named = variable("CODEX_CREDENTIAL_PROFILE").filter(|name| !name.is_empty())?;
    named.into_string().ok()
}

pub fn home() -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    home.ok_or_else(|| Error::new(Kind::Usage, "there is no home folder").hint("set HOME"))
}

/// An entry of ours that `configure` did not write, or that was changed since.
pub fn by_hand(path: &Path, what: &str) -> Error {
    let message = format!("{} has {what} in a form that configure does not write", path.display());
    Error::new(Kind::Configuration, message).hint("it is left as it is; remove it by hand")
}
