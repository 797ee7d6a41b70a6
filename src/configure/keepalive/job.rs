//! The command that a scheduler runs: `codex-credential renew` for one profile.

use crate::configure::program::Program;
use crate::configure::quote;
use crate::error::{Error, Kind, Result};
use std::process::{Command, Stdio};

pub struct Job {
    pub program: Program,
    pub codex_home: String,
}

impl Job {
    /// Returns `prefix` with the profile that the command names, because each profile has its own timer.
    pub fn name(&self, prefix: &str) -> String {
        match self.program.profile() {
            Some(profile) => format!("{prefix}-{profile}"),
            None => prefix.to_owned(),
        }
    }

    /// Returns the line for a crontab. It runs every six hours, and a renewal is due for a day, so three of four runs
    /// may fail.
    pub fn cron_line(&self) -> Result<String> {
        let home = quote::shell(&self.codex_home)?;
        let (program, profile) = (self.program.quoted(), self.program.profile_option());
        let command = quote::crontab(&format!("CODEX_HOME={home} {program} renew{profile}"))?;
        Ok(format!("17 */6 * * * {command}"))
    }
}

/// Runs a command of the scheduler, without its output.
pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub fn run(program: &str, arguments: &[&str]) -> Result<()> {
    if succeeds(program, arguments) {
        return Ok(());
    }
    let command = format!("{program} {}", arguments.join(" "));
    Err(Error::new(Kind::Storage, format!("`{command}` failed")).hint("run it to see why"))
}
