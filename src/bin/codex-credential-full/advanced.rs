//! `move`, `import`, `audit`, `fleet` and `completions`.

use crate::options::{deadline, profile};
use crate::sign_in::CHANGE_WAIT;
use crate::stdio::{print, write};
use clap::CommandFactory;
use clap_complete::Shell;
use codex_credential::cli::options::{Audit, Import, Json, Move};
use codex_credential::cli::{Cli, GlobalOptions};
use codex_credential::commands;
use codex_credential::commands::import;
use codex_credential::error::Result;

pub fn move_login(global: &GlobalOptions, options: &Move) -> Result<()> {
    let deadline = deadline(global, CHANGE_WAIT);
    commands::move_login::move_login(&profile(global)?, options.to, &deadline)
}

pub fn import(global: &GlobalOptions, options: Import) -> Result<()> {
    let profile = profile(global)?;
    let file = options.file.unwrap_or_else(|| profile.codex_home().join("auth.json"));
    import::import(&profile, &file, options.remove, &deadline(global, CHANGE_WAIT))
}

pub fn audit(options: &Audit) -> Result<()> {
    print(&commands::audit::audit(options.since, options.json)?)
}

pub fn fleet_status(global: &GlobalOptions, options: &Json) -> Result<()> {
    print(&commands::fleet::status(&profile(global)?, options.json)?)
}

pub fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "codex-credential", &mut script);
    write(&script)
}
