//! Keeps logins, and the files that protect them.

pub mod audit_log;
pub mod auth_json;
pub mod cached_value;
pub mod codex_commit;
pub mod codex_config;
pub mod codex_home;
pub mod codex_lock;
pub mod files;
pub mod host_credentials;
pub mod journal;
pub mod keyring;
pub mod keyring_parts;
pub mod local;
pub mod location;
pub mod lock;
pub mod login_dir;
pub mod records;
pub mod seal;
pub mod secret_bytes;
pub mod shared;
pub mod stored_login;
pub mod watch;

use crate::account::Account;
use crate::client::ClientRegistration;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::storage::journal::{Intent, Journal, Unfinished};
use crate::storage::login_dir::LoginDir;
use crate::storage::shared::{SharedHold, SharedStorage};
use crate::tokens::{Fingerprint, TokenResponse};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// The storages, by the names that a profile gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// Codex's own login, shared with it
    Codex,
    /// a file of its own
    File,
    /// the platform's keyring
    Keyring,
    /// in memory, until the machine restarts
    Memory,
    /// in etcd, shared by many hosts
    Etcd,
}

impl StorageKind {
    /// As a profile has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::File => "file",
            Self::Keyring => "keyring",
            Self::Memory => "memory",
            Self::Etcd => "etcd",
        }
    }
}

impl FromStr for StorageKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        ValueEnum::from_str(name, false).map_err(|_| {
            let what = format!("there is no storage {name:?}");
            Error::new(Kind::Usage, what).hint("there are codex, file, keyring, memory and etcd")
        })
    }
}

/// Where one login is kept.
pub trait Storage: std::fmt::Debug {
    /// The folder of small files that protects the login.
    fn login_dir(&self) -> Result<LoginDir>;

    /// The folders in which it is seen that the login has changed.
    fn watched(&self) -> Vec<PathBuf>;

    /// The stored login. Takes no lock: a login is replaced, never edited.
    ///
    /// # Errors
    /// `Storage` when it cannot be read or understood; `LoginRequired` when it is of another kind.
    fn load(&self) -> Result<Option<Login>>;

    /// Makes anew what [`LoginStorage::read_cached`] reads, where that does not outlive a restart. Nothing depends on it.
    ///
    /// # Errors
    /// `Storage` when the storage itself does not answer.
    fn refresh_copies(&self) -> Result<()> {
        Ok(())
    }

    /// Where the login is, or would be, in words for a person.
    fn describe(&self) -> Result<String>;

    /// Keeps other programs from changing the login, for a request and its commit.
    ///
    /// # Errors
    /// `Busy` when another program keeps us from it until `deadline`.
    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>>;

    /// Who keeps a renewal waiting, if somebody does and the system tells.
    fn holder(&self) -> Option<String> {
        None
    }

    /// Removes what killed processes left unfinished. For whoever holds the renewal lock.
    fn sweep(&self);

    /// What a killed renewal left in the journal. For whoever holds the renewal lock.
    fn left(&self) -> Result<Option<Unfinished>>;

    /// Whose logins are kept here, where several can be.
    fn accounts(&self) -> Result<Vec<Account>> {
        Ok(Vec::new())
    }

    /// Returns what only a storage that several hosts share can do; `None` for a storage of this machine.
    fn shared(&self) -> Option<&dyn SharedStorage> {
        None
    }

    /// Which login is stored, for comparison; `None` when there is none that can be read.
    fn fingerprint(&self) -> Option<Fingerprint> {
        self.load().ok().flatten().map(|login| login.fingerprint())
    }
}

/// A login at a glance, perhaps without its refresh token.
pub struct CachedLogin {
    pub login: Login,
    pub login_dir: LoginDir,
}

/// A login that no other program changes.
pub trait HeldLogin {
    /// Proves that a commit could write, before something that can be used once is spent on it.
    fn probe(&self) -> Result<()>;

    /// Records what is about to be sent. The answer will be as safe there as in the storage itself. `None` when
    /// another host was first, and the login is to be read again.
    fn begin(&self, intent: &Intent) -> Result<Option<Journal>>;

    /// Writes `change`, if the stored login still is the one it `replaces`; otherwise leaves the other login
    /// alone and returns false.
    ///
    /// # Errors
    /// `Busy` when another program keeps us from it until `deadline`; `Storage` when the login cannot be read,
    /// for then nobody knows what would be replaced, or not written.
    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool>;

    /// Removes the login, and what is left of earlier renewals with it, if `is_meant` still says so of what is
    /// stored now; false otherwise.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool>;

    /// Returns what only the lock of a shared storage can do; `None` for a storage of this machine.
    fn shared(&self) -> Option<&dyn SharedHold> {
        None
    }
}

/// What a commit writes.
pub enum Change<'a> {
    Renewed(&'a TokenResponse),
    /// `at` is when the sign-in began, in seconds since the epoch.
    SignedIn {
        tokens: &'a TokenResponse,
        by: &'a ClientRegistration,
        at: i64,
    },
}
