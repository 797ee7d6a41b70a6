//! The folder of small files that protects one login. It lies beside the login, so that every process that
//! shares the login meets here, whatever its HOME.

use crate::clock::Deadline;
use crate::error::{IoResultExt, Result};
use crate::storage::lock::Lock;
use crate::storage::records::Record;
use crate::tokens::{Fingerprint, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// ```text
/// lock      the kernel lock of a whole renewal; empty, never deleted
/// journal   what a renewal was about to do, and the answer it got
/// pending   the device login that waits for a person
/// failure   how the last renewal failed
/// dead      fingerprint of the refresh token that was refused for good
/// refused   fingerprint of the access token that a caller found refused
/// signed-in which sign-in was the last one to be stored
/// skew      how far the server's clock is ahead of this machine's, in seconds; where the login has no room for it
/// polled    fingerprint of a device code whose last poll has no known answer
/// metadata  what the issuer says of itself
/// pinned    the account that logins here have to be of
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginDir {
    dir: PathBuf,
}

impl LoginDir {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    pub fn pending<T: Serialize + DeserializeOwned>(&self) -> Record<T> {
        Record::new(self.dir.join("pending"))
    }

    pub fn failure<T: Serialize + DeserializeOwned>(&self) -> Record<T> {
        Record::new(self.dir.join("failure"))
    }

    pub fn dead<T: Serialize + DeserializeOwned>(&self) -> Record<T> {
        Record::new(self.dir.join("dead"))
    }

    pub fn refused(&self) -> Record<Fingerprint> {
        Record::new(self.dir.join("refused"))
    }

    /// Whether a caller has reported `access_token` as rejected by a resource server.
    pub fn has_rejected(&self, access_token: &Secret<String>) -> Result<bool> {
        Ok(self.refused().load()?.is_some_and(|rejected| rejected == access_token.fingerprint()))
    }

    /// Makes the folder, for its owner alone; one of ours that others can look into becomes so again.
    pub fn create(&self) -> Result<()> {
        create_private(&self.dir)?;
        #[cfg(unix)]
        close(&self.dir);
        Ok(())
    }

    /// Which sign-in was the last one to be stored.
    pub fn signed_in(&self) -> Record<String> {
        Record::new(self.dir.join("signed-in"))
    }

    /// How far the issuer's clock is ahead of this machine's, in seconds.
    pub fn skew(&self) -> Record<i64> {
        Record::new(self.dir.join("skew"))
    }

    pub fn polled(&self) -> Record<Fingerprint> {
        Record::new(self.dir.join("polled"))
    }

    pub fn metadata<T: Serialize + DeserializeOwned>(&self) -> Record<T> {
        Record::new(self.dir.join("metadata"))
    }

    pub fn pinned(&self) -> Record<String> {
        Record::new(self.dir.join("pinned"))
    }

    /// Forgets what was known and what was under way: the login is removed, or another takes its place. (`dead` and
    /// `refused` name tokens that are not to be used wherever they turn up again.)
    pub fn forget(&self) -> Result<()> {
        // The journal last: whoever is killed before leaves the rest to be ended by it.
        for name in ["pending", "polled", "journal"] {
            Record::<Value>::new(self.dir.join(name)).remove()?;
        }
        Ok(())
    }

    /// The renewal lock, if nobody has it before `deadline`.
    pub fn acquire(&self, deadline: &Deadline) -> Result<Option<Lock>> {
        self.create()?;
        Lock::acquire(&self.lock(), deadline)
    }
}

/// What is in there is 0600 in any case, so that a folder of somebody else's may stay as it is.
#[cfg(unix)]
fn close(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let is_open = dir.metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if is_open {
        let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    }
}

/// Creates `dir` and what is missing above it, each 0700.
pub fn create_private(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).context("create the folder", dir)
}
