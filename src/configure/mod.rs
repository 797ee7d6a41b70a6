//! `configure` and `unconfigure`: an entry in the configuration file of another tool, which makes that tool ask
//! codex-credential for a token.

pub mod codex;
pub mod context;
pub mod entry;
mod environment;
mod helper_link;
mod helpers;
pub mod json_member;
mod keepalive;
pub mod lines;
pub mod options;
pub mod program;
mod setup;
pub mod table_key;
pub(super) mod text_file;
mod tools;

use crate::configure::context::Context;
use crate::configure::keepalive::Keepalive;
use crate::configure::options::{ConfigureOptions, Options, Tool};
use crate::configure::setup::Change;
use crate::error::{Error, Result};
use crate::ui;
use std::path::PathBuf;

/// Adds our entries to the tool's file.
///
/// # Errors
/// The message says whether anything was changed.
pub fn configure(options: &ConfigureOptions, context: &Context) -> Result<()> {
    saying_what_changed(|changed| {
        let print = options.common.print;
        if context.tool == Tool::Keepalive {
            let keepalive = Keepalive::new(context)?;
            return if print { keepalive.print() } else { keepalive.install(changed) };
        }
        let setup = tools::setup(context, Some(options))?;
        let changes = setup.add(options.force)?;
        if let Some(url) = &setup.token_url {
            tools::refuse_other_host(context.profile, url)?;
        }
        if show_and_make(&changes, print, "already configured", changed)? {
            ui::say(&format!("configured {}; to undo, run: {}", list(changed), context.undo));
        }
        setup.note.iter().for_each(|note| ui::say(note));
        Ok(())
    })
}

/// Removes our entries from the tool's file.
///
/// # Errors
/// The message says whether anything was changed.
pub fn unconfigure(options: &Options, context: &Context) -> Result<()> {
    saying_what_changed(|changed| {
        if context.tool == Tool::Keepalive {
            return Keepalive::new(context)?.remove();
        }
        let setup = tools::setup(context, None)?;
        if show_and_make(&setup.remove()?, options.print, "not configured", changed)? {
            ui::say(&format!("removed the entry from {}", list(changed)));
        }
        Ok(())
    })
}

/// Adds to a failure of `run` the paths that it changed.
fn saying_what_changed(run: impl FnOnce(&mut Vec<PathBuf>) -> Result<()>) -> Result<()> {
    let mut changed = Vec::new();
    run(&mut changed).map_err(|error: Error| {
        let changed = if changed.is_empty() { "nothing".to_owned() } else { list(&changed) };
        error.map_text(|text| format!("{text}; {changed} was changed"))
    })
}

/// Shows the changes and makes them, unless `is_print`. Returns whether any was made; adds the paths to `made`.
fn show_and_make(
    changes: &[Change],
    is_print: bool,
    if_none: &str,
    made: &mut Vec<PathBuf>,
) -> Result<bool> {
    changes.iter().for_each(Change::show);
    if changes.is_empty() || is_print {
        let reason = if changes.is_empty() { if_none } else { "--print" };
        ui::say(&format!("{reason}; nothing was changed"));
        return Ok(false);
    }
    for change in changes {
        made.push(change.make()?.to_owned());
    }
    Ok(true)
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" and ")
}
