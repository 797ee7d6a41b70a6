//! Keeps logins, and the files that protect them.

pub mod audit_log;
pub mod auth_json;
pub mod codex_config;
pub mod codex_home;
mod codex_write;
pub mod etcd_settings;
pub mod files;
pub mod host_credentials;
pub mod journal;
pub mod keyring;
pub mod local;
mod local_write;
pub mod location;
pub mod lock;
pub mod login_dir;
pub mod records;
pub mod seal;
pub mod shared;
pub mod watch;

use crate::account::Account;
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::login::Login;
use crate::storage::files::sweep_temporary_files;
use crate::storage::journal::{Intent, Journal, RequestKind, Unfinished};
use crate::storage::location::Location;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::InvalidToken;
use crate::storage::shared::SharedStorage;
use crate::tokens::{Fingerprint, TokenResponse};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The storages, by their names in a profile.
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
    /// Returns the name that a profile uses.
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

/// Where one login is kept.
pub trait Storage: std::fmt::Debug {
    /// Returns the directory that protects the login; `None` where no such login is stored and its directory is not
    /// known.
    fn login_dir(&self) -> Result<Option<LoginDir>>;

    /// Returns the directory that protects the sign-ins of this issuer and client, whichever account they bring.
    fn sign_in_dir(&self) -> LoginDir;

    /// Returns the folders in which a change of the login shows.
    fn watched(&self) -> Vec<PathBuf>;

    /// Returns where on this machine the tokens of `request` will be stored; `None` for a login in etcd.
    fn write_location(&self, request: RequestKind) -> Result<Option<Location>>;

    /// Fails if the folder of the login does not exist and may not be created: a link can lead to a folder that is not mounted
    /// now, and a login in a new folder of this name would be lost.
    fn check_folder(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the stored login. Takes no lock: a login is replaced, never edited.
    ///
    /// # Errors
    /// `Storage` when the login cannot be read or parsed; `LoginRequired` when it is of another kind.
    fn load(&self) -> Result<Option<Login>>;

    /// Writes the copies in memory from which a warm `get` reads, where the storage has any. A restart removes them.
    ///
    /// # Errors
    /// `Storage` when the storage does not answer.
    fn refresh_copies(&self) -> Result<()> {
        Ok(())
    }

    /// Says where the login is, or would be.
    fn describe(&self) -> Result<String>;

    /// Prepares a change of the login, for a request and its commit. Codex's storage holds `auth.lock` meanwhile, because
    /// Codex does not know our renewal lock; local storage locks each write.
    ///
    /// # Errors
    /// `Busy` when another process keeps us from it until `deadline`.
    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>>;

    /// Returns who keeps a renewal waiting, where the system tells.
    fn holder(&self) -> Option<String> {
        None
    }

    /// Removes the temporary files of killed processes.
    fn sweep(&self) {
        let dirs = self.login_dir().ok().flatten().into_iter().chain([self.sign_in_dir()]);
        let folders = dirs.map(|dir| dir.dir().to_owned()).chain(self.watched());
        folders.for_each(|folder| sweep_temporary_files(&folder));
    }

    /// Records a request that is about to be sent in the journal of `dir`, and proves that its answer can be stored. The
    /// caller holds the lock of `dir`.
    fn begin(&self, dir: &LoginDir, intent: &Intent) -> Result<Journal> {
        let location = self.write_location(intent.request)?;
        let seal = location.map_or(Ok(None), |location| location.new_seal(intent.request))?;
        Journal::begin(&dir.journal(), intent, seal)
    }

    /// Returns what a killed process left in the journal of `dir`. The caller holds the lock of `dir`.
    fn unfinished(&self, dir: &LoginDir) -> Result<Option<Unfinished>> {
        journal::unfinished(&dir.journal(), |request| {
            self.write_location(request)?.map_or(Ok(None), |location| location.seal(request))
        })
    }

    /// Removes the records of a sign-in that is over. The caller holds the sign-in lock. The journal goes last, so that the
    /// next recovery finishes what a killed process has not removed.
    fn end_sign_in(&self) -> Result<()> {
        let dir = self.sign_in_dir();
        dir.cancel()?;
        journal::clear(&dir.journal())?;
        // A key without a journal is harmless, and the next sign-in replaces it.
        if let Ok(Some(location)) = self.write_location(RequestKind::SignIn) {
            let _ = location.remove_seal(RequestKind::SignIn);
        }
        Ok(())
    }

    /// Returns the accounts whose logins are kept here, where several can be.
    fn accounts(&self) -> Result<Vec<Account>> {
        Ok(Vec::new())
    }

    /// Returns what only a storage that several hosts share can do.
    fn shared(&self) -> &dyn SharedStorage {
        &()
    }

    /// Returns the fingerprint of the stored login; `None` when there is none that can be read.
    fn fingerprint(&self) -> Option<Fingerprint> {
        self.load().ok().flatten().map(|login| login.fingerprint())
    }
}

/// A login as files show it. It may lack its refresh token.
pub struct CachedLogin {
    pub login: Login,
    pub login_dir: LoginDir,
}

/// Changes the stored login. Codex's storage holds `auth.lock` meanwhile; local storage locks each write.
pub trait HeldLogin {
    /// Proves that a commit could write. Changes nothing that recovery needs.
    fn probe(&self) -> Result<()>;

    /// Records a refresh request that is about to be sent, and proves that its answer can be stored. Returns `None` when
    /// the login has changed and must be read again. The caller holds the renewal lock.
    fn begin_refresh(&self, intent: &Intent) -> Result<Option<Journal>>;

    /// Writes `change`, unless a newer login is stored: a renewal is written only over the login that it `replaces`, and
    /// a sign-in over no later sign-in. Codex's login has no time of its sign-in, so that a sign-in too is written only
    /// over the login that it `replaces`. Returns false where nothing was written.
    ///
    /// # Errors
    /// `Busy` when another process keeps us from it until `deadline`; `Storage` when the login cannot be read or written.
    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool>;

    /// Removes the login with the journal of its renewals, and cancels a pending sign-in that may bring it back. Returns false, and removes
    /// nothing, unless `is_meant` accepts the login that is stored.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool>;

    /// Returns the error to report if another host sent a refresh request and has not stored the answer.
    fn other_host_error(&self) -> Option<Error> {
        None
    }

    /// Whether a host that has sent a refresh request is left alone while the access token is valid.
    fn waits_for_other_host(&self) -> bool {
        false
    }

    /// Records for other hosts that the refresh request brought no tokens. `invalid_token` describes a refresh token that
    /// the server refused for good.
    fn close_request(&self, _invalid_token: Option<&InvalidToken>) -> Result<()> {
        Ok(())
    }
}

/// What a commit writes.
pub enum Change<'a> {
    Renewed(&'a TokenResponse),
    SignedIn {
        login: &'a Login,
        /// Whether the login becomes the default one of its storage.
        is_default: bool,
    },
}
