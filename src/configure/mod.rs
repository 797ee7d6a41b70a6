//! `configure` and `unconfigure`: an entry in the configuration file of another tool, which makes that tool ask
//! codex-credential for a token.

mod appended_lines;
mod bazel;
mod claude_code;
mod codex;
mod docker;
mod entry;
mod folders;
mod git;
mod helper_link;
mod json_member;
pub mod keepalive;
mod pi;
mod plan;
mod program;
mod quote;
pub mod setup;
pub(super) mod text_file;
pub mod tool;
#[cfg(test)]
mod undo_property;

use crate::configure::folders::Folders;
use crate::configure::plan::{Plan, list, nothing_was_changed, refuse_other_host};
use crate::configure::setup::{Options, ToolSetup};
use crate::configure::tool::Tool;
use crate::error::Result;
use crate::profile::Profile;
use crate::ui;
use std::ffi::OsString;

/// Adds our entries to the tool's file.
///
/// # Errors
/// See [`Plan::configure`] and [`Plan::run`]. The message says whether anything was changed.
pub fn configure(
    tool: Tool,
    options: &Options,
    profile: &Profile,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<()> {
    let setup = find(tool, options, profile, variable).map_err(nothing_was_changed)?;
    let plan = Plan::configure(&setup, profile, options.force).map_err(nothing_was_changed)?;
    plan.show();
    if plan.is_empty() {
        ui::say("already configured; nothing was changed");
    } else if options.print {
        ui::say("--print: nothing was changed");
    } else {
        ui::say(&format!("configured {}; to undo, run: {}", list(&plan.run()?), setup.undo));
    }
    setup.note.iter().for_each(|note| ui::say(note));
    Ok(())
}

/// Removes our entries from the tool's file.
///
/// # Errors
/// See [`Plan::unconfigure`] and [`Plan::run`]. The message says whether anything was changed.
pub fn unconfigure(
    tool: Tool,
    options: &Options,
    profile: &Profile,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<()> {
    let setup = find(tool, options, profile, variable).map_err(nothing_was_changed)?;
    let plan = Plan::unconfigure(&setup).map_err(nothing_was_changed)?;
    plan.show();
    if plan.is_empty() {
        ui::say("not configured; nothing was changed");
    } else if options.print {
        ui::say("--print: nothing was changed");
    } else {
        ui::say(&format!("removed the entry from {}", list(&plan.run()?)));
    }
    Ok(())
}

fn find(
    tool: Tool,
    options: &Options,
    profile: &Profile,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<ToolSetup> {
    if let Some(url) = &options.base_url {
        quote::refuse_control_characters(url)?;
        refuse_other_host(profile, url)?;
    }
    tool::setup(tool, options, profile, &Folders::new(variable)?)
}
