//! What the environment says of a profile, and where its files are.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::folders;
use crate::profile::config::Config;
use crate::urls::is_secure;
use std::ffi::OsString;
use std::path::PathBuf;

/// What is empty is as good as not there.
pub(super) struct Variables<F>(pub F);

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    pub fn raw(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    pub fn text(&self, name: &str) -> Result<Option<String>> {
        match self.raw(name).map(OsString::into_string) {
            Some(Err(_)) => Err(Error::new(Kind::Usage, format!("{name} is not valid UTF-8"))),
            Some(Ok(text)) => Ok(Some(text)),
            None => Ok(None),
        }
    }

    pub fn url(&self, name: &str) -> Result<Option<String>> {
        match self.text(name)? {
            Some(url) if !is_secure(&url) => Err(Error::new(
                Kind::Usage,
                format!("{name} must be an https URL, or http on a loopback address"),
            )),
            url => Ok(url),
        }
    }

    /// `$CODEX_HOME`, else `~/.codex`; absolute, so that every process means the same folder.
    pub fn codex_home(&self) -> Result<PathBuf> {
        let path = match self.raw("CODEX_HOME") {
            Some(path) => PathBuf::from(path),
            None => std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).map_or_else(
                || Err(Error::new(Kind::Usage, "there is no home folder").hint("set CODEX_HOME")),
                |home| Ok(home.join(".codex")),
            )?,
        };
        if path.is_absolute() {
            return Ok(path);
        }
        std::path::absolute(&path).context("find", &path)
    }
}

/// Where `config.toml` is: where it is said, else in its usual place, and whether it was said.
pub fn config_path(
    variable: impl Fn(&str) -> Option<OsString>,
    named: Option<PathBuf>,
) -> (Option<PathBuf>, bool) {
    let variable = Variables(variable);
    let named = named.or_else(|| variable.raw("CODEX_CREDENTIAL_CONFIG").map(PathBuf::from));
    if named.is_some() {
        return (named, true);
    }
    // To look up a home folder that no variable names takes a socket.
    let has_home = ["HOME", "XDG_CONFIG_HOME"].iter().any(|name| variable.raw(name).is_some());
    if !has_home && !cfg!(windows) {
        return (None, false);
    }
    (folders::config().ok().map(|folder| folder.join("config.toml")), false)
}

/// # Errors
/// `Configuration` when it cannot be understood.
pub fn config(
    variable: impl Fn(&str) -> Option<OsString>,
    named: Option<PathBuf>,
) -> Result<Config> {
    match config_path(variable, named) {
        (Some(path), is_named) => Config::load(&path, is_named),
        (None, _) => Ok(Config::default()),
    }
}
