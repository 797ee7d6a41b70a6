//! The tools that have a configuration file.

use crate::configure::folders::Folders;
use crate::configure::program::{Program, profile_of_environment};
use crate::configure::setup::{Options, ToolSetup};
use crate::configure::{bazel, claude_code, codex, docker, git, pi};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;

#[derive(Clone, Copy, Debug)]
pub enum Tool {
    Git,
    Codex,
    ClaudeCode,
    Pi,
    Docker,
    Bazel,
}

/// Finds the entries for `profile` in the files below `folders`.
pub fn setup(
    tool: Tool,
    options: &Options,
    profile: &Profile,
    folders: &Folders,
) -> Result<ToolSetup> {
    // These tools name a host in each request, and the host chooses the profile unless the command names one.
    let asks_by_host = matches!(tool, Tool::Git | Tool::Docker | Tool::Bazel);
    let named = match &options.profile {
        None if !asks_by_host => profile_of_environment(folders.variable),
        named => named.clone(),
    };
    let program = Program::this(folders.variable, named)?;
    let hosts = &profile.settings.hosts;
    if asks_by_host && hosts.is_empty() {
        let message = format!("the profile {} has no hosts", profile.name);
        return Err(Error::new(Kind::Configuration, message)
            .hint(format!("add hosts = [\"…\"] to [profiles.{}] in config.toml", profile.name)));
    }
    match tool {
        Tool::Git => Ok(git::setup(&program, hosts, folders)),
        Tool::Codex => codex::setup(program, options, folders),
        Tool::ClaudeCode => Ok(claude_code::setup(program, folders)),
        Tool::Pi => Ok(pi::setup(program, options, folders)),
        Tool::Docker => Ok(docker::setup(&program, hosts, folders)),
        Tool::Bazel => Ok(bazel::setup(&program, hosts, folders)),
    }
}
