//! `configure` and `unconfigure`: an entry in the configuration file of another tool, which makes that tool ask
//! codex-credential for a token.

pub mod appended_lines;
mod bazel;
mod claude_code;
pub mod codex;
pub mod context;
mod docker;
pub mod entry;
mod git;
mod helper_link;
pub mod json_member;
pub mod keepalive;
pub mod options;
mod pi;
mod plan;
pub mod program;
pub mod quote;
mod setup;
pub(super) mod text_file;

use crate::configure::context::Context;
use crate::configure::keepalive::Keepalive;
use crate::configure::options::{ConfigureOptions, Options, Tool};
use crate::configure::plan::{Change, list, unchanged};
use crate::configure::setup::{ToolSetup, UNCONFIGURE};
use crate::error::{Error, Kind, Result};
use crate::ui;

/// Adds our entries to the tool's file.
///
/// # Errors
/// See `plan::run`. The message says whether anything was changed.
pub fn configure(options: &ConfigureOptions, context: &Context) -> Result<()> {
    let ConfigureOptions { common, force, base_url } = options;
    if common.tool == Tool::Keepalive {
        let keepalive = Keepalive::new(context).map_err(unchanged)?;
        return if common.print { keepalive.print() } else { keepalive.install() };
    }
    let setup = setup(common, base_url.as_deref(), context).map_err(unchanged)?;
    let changes = plan::configure(&setup, context.profile, *force).map_err(unchanged)?;
    if let Some(changed) = show_and_run(&changes, common.print, "already configured")? {
        let undo = &setup.undo;
        ui::say(&format!("configured {changed}; to undo, run: {UNCONFIGURE}{undo}"));
    }
    setup.note.iter().for_each(|note| ui::say(note));
    Ok(())
}

/// Removes our entries from the tool's file.
///
/// # Errors
/// See `plan::run`. The message says whether anything was changed.
pub fn unconfigure(options: &Options, context: &Context) -> Result<()> {
    if options.tool == Tool::Keepalive {
        return Keepalive::new(context).map_err(unchanged)?.remove();
    }
    let setup = setup(options, None, context).map_err(unchanged)?;
    let changes = plan::unconfigure(&setup).map_err(unchanged)?;
    if let Some(changed) = show_and_run(&changes, options.print, "not configured")? {
        ui::say(&format!("removed the entry from {changed}"));
    }
    Ok(())
}

/// Returns the changed paths, if there were changes to make.
fn show_and_run(changes: &[Change], is_print: bool, if_none: &str) -> Result<Option<String>> {
    changes.iter().for_each(Change::show);
    if changes.is_empty() || is_print {
        let reason = if changes.is_empty() { if_none } else { "--print" };
        ui::say(&format!("{reason}; nothing was changed"));
        return Ok(None);
    }
    Ok(Some(list(&plan::run(changes)?)))
}

/// Finds the entries in the tool's file.
fn setup(options: &Options, base_url: Option<&str>, context: &Context) -> Result<ToolSetup> {
    let profile = context.profile;
    quote::refuse_control_characters(base_url.unwrap_or_default())?;
    if options.tool.asks_by_host() && profile.settings.hosts.is_empty() {
        let message = format!("the profile {} has no hosts", profile.name);
        return Err(Error::new(Kind::Configuration, message)
            .hint(format!("add hosts = [\"…\"] to [profiles.{}] in config.toml", profile.name)));
    }
    match options.tool {
        Tool::Git => Ok(git::setup(context)),
        Tool::Codex => codex::setup(context, options.name.as_deref(), base_url),
        Tool::ClaudeCode => Ok(claude_code::setup(context)),
        Tool::Pi => Ok(pi::setup(context, base_url)),
        Tool::Docker => Ok(docker::setup(context)),
        Tool::Bazel => Ok(bazel::setup(context)),
        Tool::Keepalive => unreachable!("keepalive has no tool's file"),
    }
}
