//! Codex itself, where its login is the one: which version, and where it keeps it.

use crate::commands::doctor::Report;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::storage::codex_config::Store;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

pub fn check(report: &mut Report, profile: &Profile) {
    let Some(home) = profile.storage.as_codex() else { return };
    match version() {
        Ok(Some(version)) => report.ok("codex", version),
        Ok(None) => report.ok("codex", "no program codex in PATH; the login works without it"),
        Err(error) => {
            report.warn("codex", error.text(), "run it by hand to see why");
        }
    }
    let store = home.config().map(|config| match config.store {
        Store::File => "Codex keeps its login in a file",
        Store::Keyring => "Codex keeps its login in the keyring",
        Store::Auto => "Codex keeps its login in the keyring, or in a file where that fails",
    });
    report.result("codex store", store);
}

/// What `codex --version` prints; `None` where there is no such program.
fn version() -> Result<Option<String>> {
    let failed = |why: &str| Error::new(Kind::Interrupted, format!("codex --version {why}"));
    let mut command = Command::new("codex");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut codex = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        spawned => spawned.map_err(|error| failed("cannot be run").caused_by(error))?,
    };
    let output = codex.stdout.take().expect("piped");
    let (sender, said) = mpsc::channel();
    thread::spawn(move || sender.send(std::io::read_to_string(output)));
    let said = said.recv_timeout(PATIENCE);
    let _ = codex.kill();
    let _ = codex.wait();
    let said = said.map_err(|_| failed("does not end"))?;
    let said = said.map_err(|_| failed("prints no text"))?;
    let line = said
        .lines()
        .next()
        .filter(|line| !line.is_empty())
        .ok_or_else(|| failed("prints nothing"))?;
    Ok(Some(line.chars().take(100).collect()))
}
