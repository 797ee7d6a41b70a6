//! `configure` and `unconfigure`.

use crate::call::{profile, variable};
use crate::streams::print;
use codex_credential::cli::{self, ProfileOptions};
use codex_credential::configure::keepalive::Keepalive;
use codex_credential::configure::{self, Tool, entry::Options};
use codex_credential::error::Result;

/// `None` for the timer, which is no other program's.
fn tool(tool: cli::Tool) -> Option<Tool> {
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

fn options(whose: &ProfileOptions, what: cli::Unconfigure) -> Options {
    let profile = whose.profile.clone();
    Options { print: what.print, name: what.name, profile, ..Options::default() }
}

pub fn configure(whose: &ProfileOptions, options: cli::Configure) -> Result<()> {
    let cli::Configure { what, force, base_url } = options;
    let profile = profile(whose, None)?;
    let Some(tool) = tool(what.tool) else {
        let keepalive = Keepalive::new(&profile, whose.profile.as_deref(), &variable)?;
        return if what.print { print(&keepalive.preview()) } else { keepalive.install() };
    };
    let options = Options { force, base_url, ..self::options(whose, what) };
    configure::configure(tool, &options, &profile, &variable)
}

pub fn unconfigure(whose: &ProfileOptions, what: cli::Unconfigure) -> Result<()> {
    let profile = profile(whose, None)?;
    match tool(what.tool) {
        Some(tool) => configure::unconfigure(tool, &options(whose, what), &profile, &variable),
        None => Keepalive::new(&profile, whose.profile.as_deref(), &variable)?.remove(),
    }
}
