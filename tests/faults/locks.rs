//! Locks without effect: bindfs mounts one folder twice, and each mount has its own locks, as two hosts see a file server
//! that does not forward locks.

use crate::machine::{Machine, eventually};
use crate::report::report;
use crate::scene::Outcome;
use crate::tries::{Form, each, form};
use issuer::{Endpoint, Fault};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const GET: &str = "get --format token --wait 25s --interactive never";

/// A second mount of the login's folder. Unmounted on drop.
struct Mount(TempDir);

impl Mount {
    fn of(folder: &Path) -> Self {
        let at = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("bindfs").arg("--no-allow-other").args([folder, at.path()]).output();
        let mounted = mounted.expect("bindfs: .ci/faults installs it");
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Self(at)
    }

    fn command(&self, machine: &Machine, line: &str) -> Command {
        let mut command = machine.std_command(line);
        command.env("CODEX_HOME", self.0.path()).env("HOME", self.0.path());
        command
    }

    fn start(&self, machine: &Machine, line: &str) -> Child {
        let mut command = self.command(machine, line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = || Command::new("umount").arg(self.0.path()).status().unwrap().success();
        eventually(unmounted);
    }
}

/// Whether a lock that is held through `first` blocks the same lock through `second`.
fn excludes(first: &Mount, second: &Mount) -> bool {
    let [first, second]: [PathBuf; 2] = [first, second].map(|mount| mount.0.path().join("tried"));
    let held = crate::machine::lock(&first);
    let second = Command::new("flock").arg("--nonblock").arg(&second).arg("true").status().unwrap();
    drop(held);
    !second.success()
}

/// `doctor` can test only one mount, and says so.
fn doctor_says_what_was_not_tested(machine: &Machine, host: &Mount) {
    let output = host.command(machine, "doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("excludes a second")).collect();
    let told = "process of this machine; other machines on fuse were not tried";
    assert!(lines.iter().all(|line| line.contains(told)) && !lines.is_empty(), "{text}");
}

/// Two hosts renew at the same time. The server refuses one of them, which adopts the login that the other stores.
pub fn locks_without_effect() {
    let tries: Vec<u64> = (0..if form() == Some(Form::Long) { 40 } else { 8 }).collect();
    let results = each(&tries, |nth| two_hosts(*nth));
    report(
        "two hosts renew one login on a file system whose locks have no effect",
        "locks::locks_without_effect",
        results,
    );
}

fn two_hosts(nth: u64) -> Result<Outcome, String> {
    let (machine, _) = Machine::signed_in(-1);
    let hosts = [Mount::of(machine.codex_home()), Mount::of(machine.codex_home())];
    assert!(excludes(&hosts[0], &hosts[0]) && !excludes(&hosts[0], &hosts[1]));
    if nth == 0 {
        doctor_says_what_was_not_tested(&machine, &hosts[0]);
    }
    // Both requests are sent before the first answer is stored, and the refused host still waits for the new login.
    let delay = Fault::DelayAfter(Duration::from_millis(500 + 20 * nth));
    machine.issuer.fault(Endpoint::Refresh, delay, 1);
    let callers = hosts.each_ref().map(|host| host.start(&machine, GET));
    let outputs = callers.map(|caller| caller.wait_with_output().unwrap());
    for output in &outputs {
        is_answered(&machine, output)?;
    }
    eventually(|| machine.renewers().is_empty());
    // The stored login can be renewed. Both hosts sent the token if their requests overlapped.
    let stored = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    let is_renewable = machine.issuer.is_live_refresh_token(&stored);
    let counts = machine.issuer.counts();
    match (is_renewable, counts.refreshes, counts.refreshes_granted) {
        (true, 2, 1) => Ok(Outcome::NothingLost),
        (true, 1, 1) => Ok(Outcome::NotReached),
        _ => Err(format!("renewable: {is_renewable}; {counts:?}")),
    }
}

fn is_answered(machine: &Machine, output: &Output) -> Result<(), String> {
    let token = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    let is_live = output.status.success() && machine.issuer.is_live_access_token(&token);
    if is_live { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
