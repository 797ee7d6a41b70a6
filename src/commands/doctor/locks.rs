//! Checks, with two processes, that a lock in each folder of the login excludes the second one. Some network file systems
//! grant every lock.

use crate::commands::doctor::Report;
use crate::commands::doctor::mounts::{LockScope, lock_scope};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::storage::files;
use crate::storage::lock::Lock;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A file server that is away can block any file operation.
const TIMEOUT: Duration = Duration::from_secs(10);

const HINT: &str = "on a network file system, mount it with locks, or set CODEX_HOME (and XDG_STATE_HOME) to a local \
                    folder";

pub fn check(report: &mut Report, profile: &Profile) {
    let mut folders = profile.storage.watched();
    folders.extend(profile.watched().unwrap_or_default());
    folders.dedup();
    folders.retain(|folder| folder.is_dir());
    for folder in folders {
        match try_folder(folder.clone()) {
            Ok(()) => report_scope(report, &folder),
            Err(error) => report.fail("locks", &error),
        }
    }
}

/// Reports a lock that works on this machine, and what the mount says about other machines.
fn report_scope(report: &mut Report, folder: &Path) {
    let found = format!("a lock in {} excludes a second process", folder.display());
    match lock_scope(folder) {
        LockScope::Everyone => report.ok("locks", found),
        LockScope::Unknown(kind) => {
            let rest = format!("of this machine; other machines on {kind} were not tried");
            report.ok("locks", format!("{found} {rest}"));
        }
        LockScope::ThisMachine(option) => {
            let rest = format!("of this machine only: the folder is mounted with {option}");
            report.warn("locks", format!("{found} {rest}"), HINT);
        }
    }
}

fn try_folder(folder: PathBuf) -> Result<()> {
    let (sender, result) = mpsc::channel();
    let shown = folder.display().to_string();
    thread::spawn(move || sender.send(try_scratch_lock(&folder)));
    result.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
        let what = format!("a lock in {shown} hangs; a file server may be unreachable");
        Err(Error::new(Kind::Storage, what).hint(HINT))
    })
}

/// Uses a scratch file, so that no renewal waits for the check.
fn try_scratch_lock(folder: &Path) -> Result<()> {
    let path = files::temporary_path(folder);
    let result = try_with_second_process(&path);
    let _ = std::fs::remove_file(&path);
    result
}

fn try_with_second_process(path: &Path) -> Result<()> {
    let lock = Lock::try_acquire(path)?;
    let lock = lock.ok_or_else(|| broken(path, "is busy although no process holds it"))?;
    if second_process(path)? == Attempt::Acquired {
        return Err(broken(path, "excludes nobody: a second process got it, too"));
    }
    drop(lock);
    match second_process(path)? {
        Attempt::Acquired => Ok(()),
        Attempt::Busy => Err(broken(path, "stays busy after its holder released it")),
    }
}

fn broken(path: &Path, how: &str) -> Error {
    let folder = path.parent().unwrap_or(path);
    Error::new(Kind::Storage, format!("a lock in {} {how}", folder.display())).hint(HINT)
}

#[derive(PartialEq)]
enum Attempt {
    Acquired,
    Busy,
}

/// The exit codes of `doctor --try-lock`.
const ACQUIRED: u8 = 0;
const BUSY: u8 = 3;

fn second_process(path: &Path) -> Result<Attempt> {
    let cannot = |error: io::Error| {
        Error::new(Kind::Interrupted, "cannot start a second process").caused_by(error)
    };
    let program = std::env::current_exe().map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(["doctor", "--try-lock"]).arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(cannot)?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(ACQUIRED) => Ok(Attempt::Acquired),
        Some(BUSY) => Ok(Attempt::Busy),
        _ => Err(broken(path, "cannot be tried by a second process")),
    }
}

/// Runs `doctor --try-lock`. Returns the exit code.
pub fn try_lock(path: &Path) -> Result<u8> {
    Ok(if Lock::try_acquire(path)?.is_some() { ACQUIRED } else { BUSY })
}
