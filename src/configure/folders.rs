//! The folders in which tools look for their files.

use crate::error::{Error, Kind, Result};
use std::ffi::OsString;
use std::path::PathBuf;

/// The home folder, and the environment variables that name other folders.
pub struct Folders<'a> {
    pub home: PathBuf,
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> Folders<'a> {
    /// # Errors
    /// `Usage` when there is no home folder.
    pub fn new(variable: &'a dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let none = || Error::new(Kind::Usage, "cannot find the home folder").hint("set HOME");
        Ok(Self { home: home.ok_or_else(none)?, variable })
    }

    /// Returns the path in an environment variable, if the variable is set and not empty.
    pub fn named(&self, variable: &str) -> Option<PathBuf> {
        (self.variable)(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Returns the path in an environment variable, or `default` in the home folder.
    pub fn named_or(&self, variable: &str, default: &str) -> PathBuf {
        self.named(variable).unwrap_or_else(|| self.home.join(default))
    }
}
