//! Kernel locks on sibling files: freed by the kernel when their holder dies, however it dies. The files are
//! empty of meaning and never deleted, for an unlinked lock file excludes nobody. The only home of fs4.

use crate::clock::Deadline;
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::trace::{self, Event};
use fs4::{FileExt, TryLockError};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

/// An exclusive lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// The lock, unless somebody else has it now.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>> {
        try_lock(open(path)?, path)
    }

    /// The lock as soon as it is free; `None` when the deadline came first.
    pub fn acquire(path: &Path, deadline: &Deadline) -> Result<Option<Self>> {
        if let Some(lock) = Self::try_acquire(path)? {
            trace::tell(|| gained(path, 0));
            return Ok(Some(lock));
        }
        let (sender, receiver) = mpsc::channel();
        // If nobody listens any more, the lock comes back with the error and is dropped, that is, freed.
        Self::wait(path, move |lock| drop(sender.send(lock)));
        receiver.recv_timeout(deadline.remaining()).map_or(Ok(None), |lock| lock.map(Some))
    }

    /// As [`Lock::acquire`].
    ///
    /// # Errors
    /// `Busy`, naming who has it, when the deadline came first.
    pub fn acquire_or_name(path: &Path, deadline: &Deadline) -> Result<Self> {
        Self::acquire(path, deadline)?.ok_or_else(|| {
            let holder = Self::holder(path).unwrap_or_else(|| "another process".into());
            Error::new(Kind::Busy, format!("{holder} holds the lock {}", path.display()))
                .hint("try again when it is done")
        })
    }

    /// Sleeps in the kernel, on a thread of its own, until the lock is ours, then hands it to `then`.
    pub fn wait(path: &Path, then: impl FnOnce(Result<Self>) + Send + 'static) {
        let path = path.to_owned();
        thread::spawn(move || {
            let watch = trace::stopwatch();
            let lock = traced_wait(&path);
            trace::tell(|| gained(&path, trace::ms(watch.as_ref())));
            then(lock);
        });
    }

    /// Who holds the lock now, by process id and name, where the system tells.
    #[cfg(target_os = "linux")]
    pub fn holder(path: &Path) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{}", path.metadata().ok()?.ino());
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        // 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF; waiters have "->" in the second column.
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

    /// Hands the lock to a child process as its standard input. Unix locks belong to the open file, so there is
    /// no moment at which it is free; elsewhere it is released, and the child takes it anew.
    pub fn into_stdin(self) -> Stdio {
        if cfg!(unix) { Stdio::from(self.0) } else { Stdio::null() }
    }

    /// In that child: the lock that came as standard input, if it is the one at `path`.
    #[cfg(unix)]
    pub fn inherited(path: &Path) -> Result<Option<Self>> {
        use std::os::fd::AsFd;
        use std::os::unix::fs::MetadataExt;
        let Ok(stdin) = io::stdin().as_fd().try_clone_to_owned() else { return Ok(None) };
        let file = File::from(stdin);
        let same = |other: std::fs::Metadata| {
            file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
        };
        // Locking again through the same open file succeeds at once: it is ours already.
        if path.metadata().is_ok_and(same) { try_lock(file, path) } else { Ok(None) }
    }

    #[cfg(not(unix))]
    pub fn inherited(_path: &Path) -> Result<Option<Self>> {
        Ok(None)
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    // For writing too: some network file systems lock nothing else.
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).context("open the lock file", path)
}

fn try_lock(file: File, path: &Path) -> Result<Option<Lock>> {
    loop {
        return match FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {
                continue;
            }
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
        };
    }
}

/// Tells who is waited for.
fn traced_wait(path: &Path) -> Result<Lock> {
    if trace::stopwatch().is_some()
        && let Some(lock) = Lock::try_acquire(path)?
    {
        return Ok(lock);
    }
    trace::tell(|| Event::LockWait { path: path.to_string_lossy(), holder: Lock::holder(path) });
    wait(path)
}

fn gained(path: &Path, ms: u64) -> Event<'_> {
    Event::LockGained { path: path.to_string_lossy(), ms }
}

fn wait(path: &Path) -> Result<Lock> {
    let file = open(path)?;
    loop {
        match FileExt::lock(&file) {
            Ok(()) => return Ok(Lock(file)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("lock", path, error)),
        }
    }
}
