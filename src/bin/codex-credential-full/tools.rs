//! `configure` and `unconfigure`.

use crate::options::{profile, variable};
use crate::stdio::print;
use codex_credential::cli::{self, GlobalOptions};
use codex_credential::configure;
use codex_credential::configure::keepalive::Keepalive;
use codex_credential::configure::setup::Options;
use codex_credential::configure::tool::Tool;
use codex_credential::error::Result;

/// Returns `None` for keepalive, which is a timer.
fn tool_with_file(tool: cli::Tool) -> Option<Tool> {
    Some(match tool {
        cli::Tool::Git => Tool::Git,
        cli::Tool::Codex => Tool::Codex,
        cli::Tool::ClaudeCode => Tool::ClaudeCode,
        cli::Tool::Pi => Tool::Pi,
        cli::Tool::Docker => Tool::Docker,
        cli::Tool::Bazel => Tool::Bazel,
        cli::Tool::Keepalive => return None,
    })
}

fn options(global: &GlobalOptions, what: cli::Unconfigure) -> Options {
    let profile = global.profile.clone();
    Options { print: what.print, name: what.name, profile, ..Options::default() }
}

pub fn configure(global: &GlobalOptions, options: cli::Configure) -> Result<()> {
    let cli::Configure { tool: what, force, base_url } = options;
    let profile = profile(global)?;
    let Some(tool) = tool_with_file(what.tool) else {
        let keepalive = Keepalive::new(&profile, global.profile.as_deref(), &variable)?;
        return if what.print { print(&keepalive.preview()?) } else { keepalive.install() };
    };
    let options = Options { force, base_url, ..self::options(global, what) };
    configure::configure(tool, &options, &profile, &variable)
}

pub fn unconfigure(global: &GlobalOptions, what: cli::Unconfigure) -> Result<()> {
    let profile = profile(global)?;
    match tool_with_file(what.tool) {
        Some(tool) => configure::unconfigure(tool, &options(global, what), &profile, &variable),
        None => Keepalive::new(&profile, global.profile.as_deref(), &variable)?.remove(),
    }
}
