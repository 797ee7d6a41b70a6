//! `configure` and `unconfigure`.

use crate::call::{asked, profile, variable};
use crate::streams::print;
use codex_credential::cli::{self, ProfileOptions};
use codex_credential::configure::keepalive::Keepalive;
use codex_credential::configure::{self, Options, Recipe, Tool};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::profile::{Profile, ProfileSelection};
use codex_credential::ui;

/// What has no file of its own to write to.
enum Other {
    Keepalive,
    Recipe(Recipe),
}

fn tool(tool: cli::Tool) -> Result<Tool, Other> {
    Ok(match tool {
        cli::Tool::Git => Tool::Git,
        cli::Tool::Codex => Tool::Codex,
        cli::Tool::ClaudeCode => Tool::ClaudeCode,
        cli::Tool::Pi => Tool::Pi,
        cli::Tool::Docker => Tool::Docker,
        cli::Tool::Bazel => Tool::Bazel,
        cli::Tool::Keepalive => return Err(Other::Keepalive),
        cli::Tool::Opencode => return Err(Other::Recipe(Recipe::Opencode)),
        cli::Tool::Curl => return Err(Other::Recipe(Recipe::Curl)),
        cli::Tool::OpenaiPython => return Err(Other::Recipe(Recipe::OpenaiPython)),
        cli::Tool::OpenaiJs => return Err(Other::Recipe(Recipe::OpenaiJs)),
        cli::Tool::Kubectl => return Err(Other::Recipe(Recipe::Kubectl)),
    })
}

/// The profile that the configured command will mean: it is written without one.
///
/// # Errors
/// `Usage` where another one is named: its hosts are not those that the command's token is for.
fn written(whose: &ProfileOptions) -> Result<Profile> {
    let named = profile(whose, None)?;
    let unnamed = |name: &str| variable(name).filter(|_| name != "CODEX_CREDENTIAL_PROFILE");
    let written = Profile::of(unnamed, ProfileSelection { profile: None, ..asked(whose, None) })?;
    if named.name == written.name {
        return Ok(written);
    }
    let what = format!("configure writes commands for the profile {} alone", written.name);
    Err(Error::new(Kind::Usage, what).hint(format!(
        "with default_profile = {:?} in config.toml they are for {}",
        named.name, named.name
    )))
}

pub fn configure(whose: &ProfileOptions, options: cli::Configure) -> Result<()> {
    let cli::Configure { what, force, base_url } = options;
    let options = Options { print: what.print, force, name: what.name, base_url };
    let profile = written(whose)?;
    match tool(what.tool) {
        Ok(tool) => configure::configure(tool, &options, &profile, &variable),
        Err(Other::Recipe(recipe)) => print(&recipe.text()?),
        Err(Other::Keepalive) => {
            let keepalive = Keepalive::new(&profile, &variable)?;
            if options.print { print(&keepalive.preview()) } else { keepalive.install() }
        }
    }
}

pub fn unconfigure(whose: &ProfileOptions, what: cli::Unconfigure) -> Result<()> {
    match tool(what.tool) {
        Ok(tool) => {
            let options = Options { print: what.print, name: what.name, ..Options::default() };
            configure::unconfigure(tool, &options, &variable)
        }
        Err(Other::Recipe(_)) => {
            ui::say("configure only prints a recipe for this; there is nothing to undo");
            Ok(())
        }
        Err(Other::Keepalive) => Keepalive::new(&profile(whose, None)?, &variable)?.remove(),
    }
}
