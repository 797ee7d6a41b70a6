//! Checks Codex itself, for a profile that uses Codex's login: its version and its credential store.

use crate::commands::doctor::report::Report;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::storage::codex_config::Store;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest version to show, in characters.
const LONGEST_VERSION: usize = 100;

pub fn check(report: &mut Report, profile: &Profile) {
    let Some(home) = profile.storage.as_codex() else { return };
    match version() {
        Ok(Some(version)) => report.ok("codex", version),
        Ok(None) => report.ok("codex", "codex is not in PATH; the login works without it"),
        Err(error) => report.warn("codex", error.text(), "to see why, run: codex --version"),
    }
    let store = home.config().map(|config| match config.store {
        Store::File => "Codex stores its login in a file",
        Store::Keyring => "Codex stores its login in the keyring",
        Store::Auto => "Codex stores its login in the keyring, or in a file if the keyring fails",
    });
    report.result("codex store", store);
}

/// Returns the first line that `codex --version` prints; `None` when there is no such program.
fn version() -> Result<Option<String>> {
    let failed = |why: &str| Error::new(Kind::Interrupted, format!("codex --version {why}"));
    let mut command = Command::new("codex");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut codex = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        spawned => spawned.map_err(|error| failed("cannot be run").caused_by(error))?,
    };
    let stdout = codex.stdout.take().expect("stdout is a pipe");
    let (sender, output) = mpsc::channel();
    thread::spawn(move || sender.send(std::io::read_to_string(stdout)));
    let output = output.recv_timeout(VERSION_TIMEOUT);
    let _ = codex.kill();
    let _ = codex.wait();
    let output = output.map_err(|_| failed("does not end"))?.unwrap_or_default();
    let line = output
        .lines()
        .next()
        .filter(|line| !line.is_empty())
        .ok_or_else(|| failed("prints nothing"))?;
    Ok(Some(line.chars().take(LONGEST_VERSION).collect()))
}
