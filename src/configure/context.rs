//! What the entries of all tools depend on.

use crate::configure::options::{Options, Tool};
use crate::configure::program::Program;
use crate::error::{Error, Kind, Result};
use crate::folders;
use crate::profile::Profile;
use crate::quote;
use clap::ValueEnum;
use std::ffi::OsString;
use std::path::PathBuf;

pub struct Context<'a> {
    pub tool: Tool,
    /// The MCP server, for a tool that has several.
    pub server: Option<&'a str>,
    pub profile: &'a Profile,
    pub program: Program,
    pub home: PathBuf,
    /// The command that undoes `configure`.
    pub undo: String,
    variable: fn(&str) -> Option<OsString>,
}

impl<'a> Context<'a> {
    /// `is_named`: whether the user named the profile.
    ///
    /// # Errors
    /// `Usage` if the tool has no servers, the server's name cannot be written, or the command line names an account.
    pub fn new(
        options: &'a Options,
        profile: &'a Profile,
        is_named: bool,
        variable: fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let (tool, server) = (options.tool, options.server.as_deref());
        let name = tool.to_possible_value().expect("no tool is hidden");
        let name = name.get_name();
        if let Some(server) = server.filter(|_| tool != Tool::CodexMcp) {
            let message = format!("{name} takes no further name, such as {server:?}");
            return Err(Error::new(Kind::Usage, message));
        }
        server.map_or(Ok(()), quote::refuse_control_characters)?;
        if let Some(account) = &profile.account
            && profile.settings.account.as_deref() != Some(account)
        {
            let what = "--account is for one command; what configure writes uses the account of the profile";
            let hint = format!("set account in [profiles.{}] of config.toml", profile.name);
            return Err(Error::new(Kind::Usage, what).hint(hint));
        }
        // A command that we write may run in another environment, so it names the profile of this environment.
        let in_environment =
            || variable("CODEX_CREDENTIAL_PROFILE").is_some_and(|name| !name.is_empty());
        let is_named = is_named || (!tool.asks_by_host() && in_environment());
        let program = Program::this(variable("PATH"), is_named.then(|| profile.name.clone()))?;
        let server_word =
            server.map(|server| format!(" {}", quote::shell(server))).unwrap_or_default();
        let profile_option = program.profile_option();
        let undo = format!("codex-credential unconfigure {name}{server_word}{profile_option}");
        Ok(Self { tool, server, profile, program, home: folders::home()?, undo, variable })
    }

    /// Returns an environment variable, if it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
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
