//! Checks, with two processes, that a lock in each folder of the login excludes the second one. Some network file systems
//! grant every lock.

use crate::clock::Deadline;
use crate::commands::doctor::report::Report;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::programs;
use crate::storage::files;
use crate::storage::lock::Lock;
use crate::threads;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A file server that is away can block any file operation.
const TIMEOUT: Duration = Duration::from_secs(10);

const HINT: &str = "on a network file system, mount it with locks, or set CODEX_HOME (and XDG_STATE_HOME) to a local \
                    folder";

pub fn check(report: &mut Report, profile: &Profile, deadline: &Deadline) {
    let mut folders = profile.storage.watched();
    folders.extend(profile.watched().unwrap_or_default());
    folders.dedup();
    folders.retain(|folder| folder.is_dir());
    for folder in folders {
        match try_folder(folder.clone(), &deadline.within(TIMEOUT)) {
            Ok(()) => {
                let others = shared_file_system(&folder)
                    .map(|kind| format!("; other machines on {kind} were not tried"));
                let (folder, others) = (folder.display(), others.unwrap_or_default());
                let found = format!("a lock in {folder} excludes a second process of this machine");
                report.ok("locks", found + &others);
            }
            Err(error) => report.fail("locks", &error),
        }
    }
}

/// Returns the kind of a file system that other machines may share.
#[cfg(target_os = "linux")]
fn shared_file_system(folder: &Path) -> Option<&'static str> {
    // The numbers are in statfs(2).
    match rustix::fs::statfs(folder).ok()?.f_type {
        0x0102_1997 => Some("9p"),
        0x5346_414f => Some("afs"),
        0x00c3_6400 => Some("ceph"),
        0xff53_4d42 | 0xfe53_4d42 => Some("cifs"),
        0x6573_5546 => Some("fuse"),
        0x0116_1970 => Some("gfs2"),
        0x0bd0_0bd0 => Some("lustre"),
        0x6969 => Some("nfs"),
        0x7461_636f => Some("ocfs2"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn shared_file_system(_folder: &Path) -> Option<&'static str> {
    None
}

fn try_folder(folder: PathBuf, deadline: &Deadline) -> Result<()> {
    let (sender, result) = mpsc::channel();
    let shown = folder.display().to_string();
    threads::spawn(move || sender.send(try_scratch_lock(&folder)))?;
    result.recv_timeout(deadline.remaining()).unwrap_or_else(|_| {
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
    if second_process_acquires(path)? {
        return Err(broken(path, "does not exclude a second process"));
    }
    drop(lock);
    Ok(())
}

fn broken(path: &Path, how: &str) -> Error {
    let folder = path.parent().unwrap_or(path);
    Error::new(Kind::Storage, format!("a lock in {} {how}", folder.display())).hint(HINT)
}

/// The exit code of `doctor --try-lock` when another process holds the lock.
const BUSY: u8 = 3;

fn second_process_acquires(path: &Path) -> Result<bool> {
    let cannot = |error: io::Error| {
        Error::new(Kind::Interrupted, "cannot start a second process").caused_by(error)
    };
    let program = programs::full().map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(["doctor", "--try-lock"]).arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status().map_err(cannot)?.code() {
        Some(0) => Ok(true),
        Some(code) if code == i32::from(BUSY) => Ok(false),
        _ => Err(broken(path, "cannot be tried by a second process")),
    }
}

/// Runs `doctor --try-lock`. Returns the exit code.
pub fn try_lock(path: &Path) -> Result<u8> {
    Ok(if Lock::try_acquire(path)?.is_some() { 0 } else { BUSY })
}
