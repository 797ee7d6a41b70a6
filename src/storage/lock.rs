//! File locks. The kernel releases a lock when its holder exits or is killed. Lock files are empty, lie beside what they
//! protect, and are never deleted, because a lock on a deleted file excludes no other process. The only user of fs4.

use crate::clock::{Deadline, Stopwatch};
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::private::{self, Access};
use crate::threads;
use crate::trace::{self, Event};
use fs4::{FileExt, TryLockError};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;

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
        Self::acquire_in_background(path, move |lock| drop(sender.send(lock)))?;
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
    pub fn acquire_in_background(
        path: &Path,
        then: impl FnOnce(Result<Self>) + Send + 'static,
    ) -> Result<()> {
        let path = path.to_owned();
        threads::spawn(move || {
            let watch = Stopwatch::start();
            let lock = wait(&path);
            trace::tell(|| lock_gained(&path, watch.ms()));
            then(lock);
        })
        .map(drop)
    }

    /// Describes the process that holds the lock: with its id and name where they are certain. `None` where no process holds
    /// it or the system does not tell.
    #[cfg(target_os = "linux")]
    pub fn holder(path: &Path) -> Option<String> {
        let file = FileId::of(path)?;
        let locks = read_at_once("/proc/locks")?;
        // Such as "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". Waiting processes have "->" in the second column.
        let pid = locks.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let held = columns.get(1) == Some(&"FLOCK") && file.is_named_by(columns.get(5)?);
            held.then(|| columns[4].to_owned())
        })?;
        let name = file.opener(&pid).map(|name| format!("process {pid} ({name})"));
        Some(name.unwrap_or_else(|| "another process".into()))
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

/// Reads a file of /proc with few calls: what changes between two calls may be missed.
#[cfg(target_os = "linux")]
fn read_at_once(path: &str) -> Option<String> {
    let mut text = Vec::with_capacity(64 * 1024);
    io::Read::read_to_end(&mut File::open(path).ok()?, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// A file as /proc names it.
#[cfg(target_os = "linux")]
struct FileId {
    /// As of `stat`.
    device: u64,
    inode: u64,
    /// The major and minor number of the mounted file system, which some file systems (btrfs, overlay) do not tell in `stat`.
    mounted: (u32, u32),
}

#[cfg(target_os = "linux")]
impl FileId {
    fn of(path: &Path) -> Option<Self> {
        use rustix::fs::{AtFlags, CWD, StatxFlags, major, minor, stat, statx};
        let stat = stat(path).ok()?;
        let mount = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok();
        let mounted = mount.and_then(|mount| device_of_mount(mount.stx_mnt_id));
        let mounted = mounted.unwrap_or((major(stat.st_dev), minor(stat.st_dev)));
        Some(Self { device: stat.st_dev, inode: stat.st_ino, mounted })
    }

    /// Tells whether a line of /proc/locks means this file: `08:01:5678`, the device in hexadecimal.
    fn is_named_by(&self, column: &str) -> bool {
        let (major, minor) = self.mounted;
        column == format!("{major:02x}:{minor:02x}:{}", self.inode)
    }

    /// Returns the name of a process, if the process has this file open. The process that took the lock may have handed it to
    /// a child and ended, and another process may have its id now.
    fn opener(&self, pid: &str) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let process = Path::new("/proc").join(pid);
        let name = std::fs::read_to_string(process.join("comm")).ok()?.trim_end().to_owned();
        let has_it_open = match std::fs::read_dir(process.join("fd")) {
            Ok(open) => open.flatten().any(|file| {
                let file = std::fs::metadata(file.path());
                file.is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode))
            }),
            // This program hides what it has open, also from its own user.
            Err(_) => name.starts_with("codex"),
        };
        (has_it_open && !name.is_empty()).then_some(name)
    }
}

/// Finds a mount in /proc/self/mountinfo, such as "36 35 98:0 /mnt1 /mnt2 rw".
#[cfg(target_os = "linux")]
fn device_of_mount(id: u64) -> Option<(u32, u32)> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let id = id.to_string();
    let mount = mounts.lines().find(|line| line.split(' ').next() == Some(&id))?;
    let (major, minor) = mount.split(' ').nth(2)?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
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
