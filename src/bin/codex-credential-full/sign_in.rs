//! `login`, `status`, `logout` and `doctor`.

use crate::options::{caller, deadline, profile, variable};
use crate::stdio::print;
use codex_credential::cli::options::{Doctor, Json, Login};
use codex_credential::cli::{DEFAULT_WAIT, GlobalOptions};
use codex_credential::commands;
use codex_credential::commands::doctor;
use codex_credential::commands::logout::Removal;
use codex_credential::commands::status::Status;
use codex_credential::error::Result;
use codex_credential::storage::codex_config::overrides;
use codex_credential::ui::screen::Screen;
use codex_credential::ui::{self, Interactive};
use std::process::ExitCode;
use std::time::Duration;

/// How long a command waits that changes the login, or checks everything.
pub const CHANGE_WAIT: Duration = Duration::from_secs(30);

pub fn login(global: &GlobalOptions, options: &Login) -> Result<()> {
    let profile = profile(global)?;
    if options.cancel {
        return commands::login::cancel(&profile, &deadline(global, CHANGE_WAIT));
    }
    let interactive = Interactive::Always;
    let screen = if options.json {
        Screen::events()
    } else {
        Screen::new(interactive, options.prompt, global.error_format)
    };
    let mut caller = caller(global, deadline(global, DEFAULT_WAIT), interactive, screen);
    commands::login::login(&profile, &mut caller).map(drop)
}

/// Exits with 0 if the user is signed in, with 3 if not.
pub fn status(global: &GlobalOptions, options: &Json) -> Result<ExitCode> {
    let profile = profile(global)?;
    let mut status = Status::of(&profile)?;
    if profile.storage.as_codex().is_some() {
        status.overridden_by = overrides(&variable);
    }
    let text = if options.json { format!("{}\n", status.json()) } else { status.text() };
    print(&text)?;
    if status.is_signed_in() {
        return Ok(ExitCode::SUCCESS);
    }
    if !options.json && status.pending.is_none() {
        ui::hint("to sign in", "codex-credential login");
    }
    Ok(ExitCode::from(3))
}

pub fn logout(global: &GlobalOptions) -> Result<()> {
    let removal = Removal { revoke: true, ask: false };
    commands::logout::remove(&profile(global)?, removal, &deadline(global, CHANGE_WAIT))
}

/// Exits with 1 if a check failed.
pub fn doctor(global: &GlobalOptions, options: &Doctor) -> Result<ExitCode> {
    if let Some(path) = &options.try_lock {
        return doctor::locks::try_lock(path).map(ExitCode::from);
    }
    let report = doctor::run(profile(global), &variable, &deadline(global, CHANGE_WAIT));
    let (text, code) = report.report(options.json, options.show);
    print(&text)?;
    Ok(ExitCode::from(code))
}
