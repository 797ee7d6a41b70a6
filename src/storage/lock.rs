//! File locks. The kernel releases a lock when its holder exits or is killed. Lock files are empty, lie beside what they
//! protect, and are never deleted, because a lock on a deleted file excludes no other process. The only user of fs4.

use crate::clock::{Deadline, Stopwatch};
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::storage::private::{self, Access};
use crate::trace::{self, Event};
use fs4::{FileExt, TryLockError};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

/// An exclusive lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock without waiting; `None` when another process holds it.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>> {
        try_lock(open(path)?, path)
    }

    /// Waits for the lock; `None` when `deadline` passes first.
    pub fn acquire(path: &Path, deadline: &Deadline) -> Result<Option<Self>> {
        if let Some(lock) = Self::try_acquire(path)? {
            trace::tell(|| lock_gained(path, 0));
            return Ok(Some(lock));
        }
        let (sender, receiver) = mpsc::channel();
        // After the deadline the send fails, which drops and so releases the lock.
        Self::acquire_in_background(path, move |lock| drop(sender.send(lock)));
        receiver.recv_timeout(deadline.remaining()).map_or(Ok(None), |lock| lock.map(Some))
    }

    /// As [`Lock::acquire`].
    ///
    /// # Errors
    /// `Busy`, naming the holder, when `deadline` passes first.
    pub fn acquire_or_busy(path: &Path, deadline: &Deadline) -> Result<Self> {
        Self::acquire(path, deadline)?.ok_or_else(|| {
            let holder = Self::holder(path).unwrap_or_else(|| "another process".into());
            Error::new(Kind::Busy, format!("{holder} holds the lock {}", path.display()))
                .hint("try again when it has finished")
        })
    }

    /// Waits for the lock on a separate thread, then passes it to `then`.
    pub fn acquire_in_background(path: &Path, then: impl FnOnce(Result<Self>) + Send + 'static) {
        let path = path.to_owned();
        thread::spawn(move || {
            let watch = Stopwatch::start();
            let lock = wait(&path);
            trace::tell(|| lock_gained(&path, watch.ms()));
            then(lock);
        });
    }

    /// Returns the id and name of the process that holds the lock. `None` where no process holds it or the system does
    /// not tell.
    #[cfg(target_os = "linux")]
    pub fn holder(path: &Path) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{}", path.metadata().ok()?.ino());
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        // Such as "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". Waiting processes have "->" in the second column.
        let pid = locks.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let held = columns.get(1) == Some(&"FLOCK") && columns.get(5)?.ends_with(&inode);
            held.then(|| columns[4].to_owned())
        })?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some(format!("process {pid} ({})", name.trim_end()))
    }

    #[cfg(not(target_os = "linux"))]
    pub fn holder(_path: &Path) -> Option<String> {
        None
    }

    /// Passes the lock to a child process as its standard input. A Unix lock belongs to the open file and stays held; on
    /// other systems it is released, and the child must take it again.
    pub fn into_stdin(self) -> Stdio {
        if cfg!(unix) { Stdio::from(self.0) } else { Stdio::null() }
    }

    /// Returns the lock that [`Lock::into_stdin`] passed to this process, if it is the lock at `path`.
    #[cfg(unix)]
    pub fn from_stdin(path: &Path) -> Result<Option<Self>> {
        use std::os::fd::AsFd;
        use std::os::unix::fs::MetadataExt;
        let Ok(stdin) = io::stdin().as_fd().try_clone_to_owned() else { return Ok(None) };
        let file = File::from(stdin);
        let is_stdin = |other: std::fs::Metadata| {
            file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
        };
        // This process holds the lock already, so locking the same open file succeeds at once.
        if path.metadata().is_ok_and(is_stdin) { try_lock(file, path) } else { Ok(None) }
    }

    #[cfg(not(unix))]
    pub fn from_stdin(_path: &Path) -> Result<Option<Self>> {
        Ok(None)
    }
}

fn open(path: &Path) -> Result<File> {
    private::open(path, Access::Lock).context("open the lock file", path)
}

fn try_lock(file: File, path: &Path) -> Result<Option<Lock>> {
    match FileExt::try_lock(&file) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
    }
}

fn lock_gained(path: &Path, ms: u64) -> Event<'_> {
    Event::LockGained { path: path.to_string_lossy(), ms }
}

/// Waits for the lock, and traces which process holds it.
fn wait(path: &Path) -> Result<Lock> {
    if let Some(lock) = Lock::try_acquire(path)? {
        return Ok(lock);
    }
    trace::tell(|| Event::LockWait { path: path.to_string_lossy(), holder: Lock::holder(path) });
    let file = open(path)?;
    loop {
        match FileExt::lock(&file) {
            Ok(()) => return Ok(Lock(file)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("lock", path, error)),
        }
    }
}
