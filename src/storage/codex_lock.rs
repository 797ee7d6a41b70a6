//! Codex's own locks. Lock order: the sign-in lock and the renewal lock, then `auth.lock` for a request and its commit,
//! then `auth.json.lock` for one write.
//!
//! Codex loses the tokens it has just received when it finds `auth.json.lock` taken. It writes only while it holds
//! `auth.lock`, so `auth.json.lock` is taken through [`AuthLock`] alone.

use crate::clock::Deadline;
use crate::error::Result;
use crate::storage::files::follow_links;
use crate::storage::lock::Lock;
use crate::storage::login_dir::create_private;
use std::path::{Path, PathBuf};

/// Codex's `auth.lock`, held. Until it is dropped, no other program changes the login.
pub struct AuthLock {
    _lock: Lock,
    /// Codex places it beside the file that it writes, after following links.
    write_lock: PathBuf,
}

impl AuthLock {
    /// # Errors
    /// `Busy` when another process holds the lock until `deadline`.
    pub fn acquire(codex_home: &Path, deadline: &Deadline) -> Result<Self> {
        create_private(codex_home)?;
        let lock = Lock::acquire_or_busy(&auth_lock(codex_home), deadline)?;
        let mut write_lock = follow_links(&codex_home.join("auth.json")).into_os_string();
        write_lock.push(".lock");
        Ok(Self { _lock: lock, write_lock: write_lock.into() })
    }

    /// Says which process holds `auth.lock`.
    pub fn holder(codex_home: &Path) -> Option<String> {
        let path = auth_lock(codex_home);
        Lock::holder(&path).map(|holder| format!("{holder} holds the lock {}", path.display()))
    }

    /// Takes `auth.json.lock` for one write.
    ///
    /// # Errors
    /// `Busy` when another process holds the lock until `deadline`.
    pub fn lock_for_write(&self, deadline: &Deadline) -> Result<Lock> {
        Lock::acquire_or_busy(&self.write_lock, deadline)
    }

    /// Proves that `auth.json.lock` can be opened. Another process may hold it for a moment.
    pub fn probe_write_lock(&self) -> Result<()> {
        Lock::try_acquire(&self.write_lock).map(drop)
    }
}

fn auth_lock(codex_home: &Path) -> PathBuf {
    codex_home.join("auth.lock")
}
