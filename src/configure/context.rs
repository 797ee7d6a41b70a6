//! What the entries of all tools depend on.

use crate::configure::options::Tool;
use crate::configure::program::Program;
use crate::error::Result;
use crate::folders;
use crate::profile::Profile;
use clap::ValueEnum;
use std::ffi::OsString;
use std::path::PathBuf;

pub struct Context<'a> {
    pub tool: Tool,
    pub profile: &'a Profile,
    pub program: Program,
    pub home: PathBuf,
    /// The command that undoes `configure`.
    pub undo: String,
    variable: fn(&str) -> Option<OsString>,
}

impl<'a> Context<'a> {
    /// `is_named`: whether the user named the profile.
    pub fn new(
        tool: Tool,
        profile: &'a Profile,
        is_named: bool,
        variable: fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        // A command that we write may run in another environment, so it names the profile of this environment.
        let in_environment =
            || variable("CODEX_CREDENTIAL_PROFILE").is_some_and(|name| !name.is_empty());
        let is_named = is_named || (!tool.asks_by_host() && in_environment());
        let program = Program::this(variable("PATH"), is_named.then(|| profile.name.clone()))?;
        let name = tool.to_possible_value().expect("no tool is hidden");
        let profile_option = program.profile_option();
        let undo = format!("codex-credential unconfigure {}{profile_option}", name.get_name());
        Ok(Self { tool, profile, program, home: folders::home()?, undo, variable })
    }

    /// Returns the absolute path in an environment variable, if the variable is set and not empty.
    pub fn path_in(&self, variable: &str) -> Result<Option<PathBuf>> {
        let path = (self.variable)(variable).filter(|path| !path.is_empty());
        path.map(|path| folders::absolute(variable, path.into())).transpose()
    }

    /// Returns the path in an environment variable, or `default` in the home folder.
    pub fn path_or(&self, variable: &str, default: &str) -> Result<PathBuf> {
        Ok(self.path_in(variable)?.unwrap_or_else(|| self.home.join(default)))
    }

    /// Returns `XDG_CONFIG_HOME`, which counts only if it is absolute (XDG base directory specification), or its default.
    pub fn xdg_config(&self) -> PathBuf {
        let path = (self.variable)("XDG_CONFIG_HOME").map(PathBuf::from);
        path.filter(|path| path.is_absolute()).unwrap_or_else(|| self.home.join(".config"))
    }
}
