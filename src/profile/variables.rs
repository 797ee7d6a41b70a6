//! Environment variables of a profile, and the paths that they name.

use crate::error::{Error, Kind, Result};
use crate::folders;
use crate::profile::config::Config;
use clap::ValueEnum;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// The environment. An empty variable counts as unset.
pub(super) struct Variables<'a>(pub &'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    pub fn raw(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let text = self.raw(name).map(OsString::into_string).transpose();
        text.map_err(|_| Error::new(Kind::Usage, format!("{name} is not valid UTF-8")))
    }

    pub fn parsed<T: FromStr<Err = &'static str>>(&self, name: &str) -> Result<Option<T>> {
        let value = self.text(name)?.map(|text| text.parse()).transpose();
        value.map_err(|why| Error::new(Kind::Usage, format!("{name}: {why}")))
    }

    /// Returns which of the values of `T` a variable has.
    pub fn choice<T: ValueEnum>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        T::from_str(&text, true).map(Some).map_err(|_| {
            let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let values: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
            let what = format!("{name} must be {}, not {text:?}", values.join(" or "));
            Error::new(Kind::Usage, what)
        })
    }

    /// Returns the absolute path that a variable names.
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>> {
        self.raw(name).map(|path| folders::absolute(name, path.into())).transpose()
    }

    /// Returns `$CODEX_HOME` or `~/.codex`.
    pub fn codex_home(&self) -> Result<PathBuf> {
        match self.path("CODEX_HOME")? {
            Some(path) => Ok(path),
            None => Ok(folders::home()?.join(".codex")),
        }
    }
}

/// Returns the path of `config.toml`, and whether the user named it.
///
/// # Errors
/// `Usage` if a variable is not an absolute path. The option `--config` may be relative.
pub fn config_path(
    variable: impl Fn(&str) -> Option<OsString>,
    named: Option<PathBuf>,
) -> Result<(Option<PathBuf>, bool)> {
    let variables = Variables(&variable);
    let named = match named {
        Some(option) => Some(option),
        None => variables.path("CODEX_CREDENTIAL_CONFIG")?,
    };
    if named.is_some() {
        return Ok((named, true));
    }
    // Without these variables, finding the home directory can open a socket.
    let has_home = ["HOME", "XDG_CONFIG_HOME"].iter().any(|name| variables.raw(name).is_some());
    if !has_home && !cfg!(windows) {
        return Ok((None, false));
    }
    // A home directory that cannot be used prevents no answer from a `CODEX_HOME` that can.
    Ok((folders::config().ok().map(|folder| folder.join("config.toml")), false))
}

/// Loads the configuration, which is empty if there is no file.
///
/// # Errors
/// `Configuration` for a mistake in the file.
pub fn config(
    variable: impl Fn(&str) -> Option<OsString>,
    named: Option<PathBuf>,
) -> Result<Config> {
    match config_path(variable, named)? {
        (Some(path), is_named) => Config::load(&path, is_named),
        (None, _) => Ok(Config::default()),
    }
}
