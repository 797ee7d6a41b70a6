//! Which storage a profile has.

use crate::client::ClientRegistration;
use crate::client::Dialect;
use crate::error::{Error, Kind, Result};
#[cfg(feature = "etcd")]
use crate::fleet::lazy::Etcd;
#[cfg(feature = "etcd")]
use crate::fleet::local::Local;
use crate::fleet::settings::Settings;
use crate::folders::Folders;
use crate::storage::codex_home::CodexHome;
use crate::storage::keyring::KeyringTimeouts;
use crate::storage::local::{LocalStorage, Medium};
use crate::storage::{CachedLogin, Storage, StorageKind};
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;

/// What it takes to open a storage.
#[derive(Clone, Debug)]
pub struct Opener {
    pub codex_home: PathBuf,
    /// For the keyring.
    pub patience: KeyringTimeouts,
    /// Whether a copy of the access token may lie in memory.
    pub cache: bool,
    pub etcd: Option<Settings>,
}

impl Opener {
    pub fn open(
        &self,
        kept: StorageKind,
        by: &ClientRegistration,
        dialect: &Dialect,
        account: Option<String>,
    ) -> Result<LoginStorage> {
        let medium = match kept {
            StorageKind::Codex if matches!(dialect, Dialect::Standard(_)) => {
                return Err(not_codexs());
            }
            StorageKind::Codex => {
                let home = CodexHome::new(self.codex_home.clone(), self.patience);
                return Ok(LoginStorage::Codex(Rc::new(home)));
            }
            StorageKind::File => Medium::File,
            StorageKind::Keyring => Medium::Keyring { cache: self.cache, patience: self.patience },
            StorageKind::Memory | StorageKind::Etcd => Medium::Memory,
        };
        let folders = Folders::of_user()?;
        let mut granted_by = vec![by.issuer.as_str(), by.client_id.as_str()];
        if let Dialect::Standard(standard) = dialect {
            granted_by.extend(standard.asks_for());
        }
        if kept == StorageKind::Etcd {
            let settings = self.etcd.as_ref().ok_or_else(no_etcd)?;
            return etcd(settings, &folders, &granted_by, self.cache, self.patience);
        }
        let private = LocalStorage::new(medium, &folders, &granted_by, account)?;
        Ok(LoginStorage::LocalStorage(Rc::new(private)))
    }
}

#[cfg(feature = "etcd")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn etcd(
    settings: &Settings,
    folders: &Folders,
    granted_by: &[&str],
    cache: bool,
    patience: KeyringTimeouts,
) -> Result<LoginStorage> {
    let local = Local::new(settings.clone(), folders, granted_by, cache, patience.all);
    Ok(LoginStorage::Etcd(Rc::new(Etcd::new(local))))
}

#[cfg(not(feature = "etcd"))]
fn etcd(
    _: &Settings,
    _: &Folders,
    _: &[&str],
    _: bool,
    _: KeyringTimeouts,
) -> Result<LoginStorage> {
    let what = "this program was built without etcd, which the profile is kept in";
    Err(Error::new(Kind::Configuration, what)
        .hint("build it with cargo install --path . --features etcd"))
}

fn no_etcd() -> Error {
    let what = "storage = \"etcd\" needs a table etcd in the profile";
    Error::new(Kind::Configuration, what).hint("docs/fleet.md shows one")
}

fn not_codexs() -> Error {
    Error::new(Kind::Usage, "Codex keeps its own login alone, and none of another issuer's")
        .hint("there are the storages file, keyring and memory")
}

/// The storage of a profile. A closed list, so that whoever only glances at a login links nothing that writes one.
#[derive(Clone, Debug)]
pub enum LoginStorage {
    Codex(Rc<CodexHome>),
    LocalStorage(Rc<LocalStorage>),
    #[cfg(feature = "etcd")]
    Etcd(Rc<Etcd>),
}

impl LoginStorage {
    /// Returns the login as files alone tell it. `None` says nothing about a login in the keyring.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        match self {
            Self::Codex(home) => home.read_cached(),
            Self::LocalStorage(private) => private.read_cached(),
            #[cfg(feature = "etcd")]
            Self::Etcd(etcd) => Ok(etcd.read_cached()),
        }
    }

    /// Codex's own login, where that is what is kept here.
    pub fn as_codex(&self) -> Option<&CodexHome> {
        match self {
            Self::Codex(home) => Some(home),
            Self::LocalStorage(_) => None,
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => None,
        }
    }

    /// The storage of the login that is called `name`, where several are kept and one is called so.
    pub fn of_account(&self, name: &str) -> Result<Option<Self>> {
        match self {
            Self::Codex(_) => Ok(None),
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => Ok(None),
            Self::LocalStorage(private) => {
                Ok(private.of_account(name)?.map(Rc::new).map(Self::LocalStorage))
            }
        }
    }
}

impl Deref for LoginStorage {
    type Target = dyn Storage;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Codex(home) => &**home,
            Self::LocalStorage(private) => &**private,
            #[cfg(feature = "etcd")]
            Self::Etcd(etcd) => &***etcd,
        }
    }
}
