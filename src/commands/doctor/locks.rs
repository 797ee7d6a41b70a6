//! Whether a lock excludes: found out by two processes, in each folder where one is relied on. Some network file systems
//! grant a lock to everybody.

use crate::commands::doctor::Report;
use crate::commands::doctor::mounts::{Reach, reach};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::storage::files;
use crate::storage::lock::Lock;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A lock that is only tried is waited for by nobody; a file server that is away is.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn check(report: &mut Report, profile: &Profile) {
    let mut folders = profile.storage.watched();
    folders.extend(profile.storage.login_dir().map(|login_dir| login_dir.dir().to_owned()));
    folders.retain(|folder| folder.is_dir());
    for folder in folders {
        match in_time(folder.clone()) {
            Ok(()) => excludes(report, &folder),
            Err(error) => report.fail("locks", &error),
        }
    }
}

/// As far as one machine can tell.
fn excludes(report: &mut Report, folder: &Path) {
    let found = format!("a lock in {} excludes a second process", folder.display());
    match reach(folder) {
        Reach::Everybody => report.ok("locks", found),
        Reach::Unknown(kind) => {
            let rest = format!("of this machine; whether others see it on {kind} was not tried");
            report.ok("locks", format!("{found} {rest}"));
        }
        Reach::ThisMachine(option) => {
            let rest = format!("of this machine alone: it is mounted with {option}");
            report.warn("locks", format!("{found} {rest}"), ELSEWHERE);
        }
    }
}

fn in_time(folder: PathBuf) -> Result<()> {
    let (sender, tried) = mpsc::channel();
    let shown = folder.display().to_string();
    thread::spawn(move || sender.send(exclude(&folder)));
    tried.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let what = format!("a lock in {shown} hangs; is a file server away?");
        Err(Error::new(Kind::Storage, what).hint(ELSEWHERE))
    })
}

/// A file of its own, so that nobody else waits for it.
fn exclude(folder: &Path) -> Result<()> {
    let path = files::scratch(folder);
    let result = with_second_process(&path);
    let _ = std::fs::remove_file(&path);
    result
}

fn with_second_process(path: &Path) -> Result<()> {
    let lock = Lock::try_acquire(path)?;
    let lock = lock.ok_or_else(|| broken(path, "is taken before anybody took it"))?;
    if second_process(path)? == Tried::Taken {
        return Err(broken(path, "excludes nobody: a second process got it, too"));
    }
    drop(lock);
    match second_process(path)? {
        Tried::Taken => Ok(()),
        Tried::Busy => Err(broken(path, "is not freed by its holder")),
    }
}

const ELSEWHERE: &str = "on a network file system, have it mounted with locks, or set CODEX_HOME (and XDG_STATE_HOME) to \
                         a local folder";

fn broken(path: &Path, how: &str) -> Error {
    let folder = path.parent().unwrap_or(path);
    Error::new(Kind::Storage, format!("a lock in {} {how}", folder.display())).hint(ELSEWHERE)
}

#[derive(PartialEq)]
enum Tried {
    Taken,
    Busy,
}

/// The exit codes of the second process.
const TAKEN: u8 = 0;
const BUSY: u8 = 3;

fn second_process(path: &Path) -> Result<Tried> {
    let cannot = |error: std::io::Error| {
        Error::new(Kind::Interrupted, "cannot start a second process").caused_by(error)
    };
    let program = std::env::current_exe().map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(["doctor", "--try-lock"]).arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let code = |mut child: Child| child.wait();
    let status = command.spawn().and_then(code).map_err(cannot)?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(TAKEN) => Ok(Tried::Taken),
        Some(BUSY) => Ok(Tried::Busy),
        _ => Err(broken(path, "cannot be tried by a second process")),
    }
}

/// In that process: its exit code.
pub fn try_lock(path: &Path) -> Result<u8> {
    Ok(if Lock::try_acquire(path)?.is_some() { TAKEN } else { BUSY })
}
