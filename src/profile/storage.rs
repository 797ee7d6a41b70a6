//! Opens the storage of a profile.

use crate::client::{ClientRegistration, Standard};
use crate::error::{Error, Kind, Result};
#[cfg(feature = "etcd")]
use crate::fleet::lazy::LazyEtcd;
#[cfg(feature = "etcd")]
use crate::fleet::local::LocalFiles;
use crate::fleet::settings::Settings;
use crate::folders::Folders;
use crate::storage::codex_home::CodexHome;
use crate::storage::local::LocalStorage;
use crate::storage::local_logins::Medium;
use crate::storage::{CachedLogin, Storage, StorageKind};
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// What opening a storage needs beside its kind and its owner.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    pub codex_home: PathBuf,
    pub keyring_timeout: Duration,
    /// Whether a copy of the access token of a keyring login may be kept in memory.
    pub cache: bool,
    pub etcd: Option<Settings>,
}

impl StorageOptions {
    /// Opens the storage that keeps the logins of `client`, for `account` or for the default account.
    ///
    /// # Errors
    /// `Configuration` or `Usage` if the profile or the system has no such storage.
    pub fn open(
        &self,
        kind: StorageKind,
        client: &ClientRegistration,
        standard: Option<&Standard>,
        account: Option<String>,
    ) -> Result<LoginStorage> {
        let medium = match kind {
            StorageKind::Codex if standard.is_some() => return Err(only_codex_logins()),
            StorageKind::Codex => {
                let home = CodexHome::new(self.codex_home.clone(), self.keyring_timeout);
                return Ok(LoginStorage::Codex(Rc::new(home)));
            }
            StorageKind::File => Medium::File,
            StorageKind::Keyring => {
                Medium::Keyring { cache: self.cache, timeout: self.keyring_timeout }
            }
            StorageKind::Memory | StorageKind::Etcd => Medium::Memory,
        };
        let folders = Folders::of_user()?;
        let mut identity = vec![client.issuer.as_str(), client.client_id.as_str()];
        if let Some(standard) = standard {
            identity.extend(standard.requested_token());
        }
        if kind == StorageKind::Etcd {
            let settings = self.etcd.as_ref().ok_or_else(no_etcd)?;
            return self.open_etcd(settings, &folders, &identity);
        }
        let local = LocalStorage::new(medium, &folders, &identity, account)?;
        Ok(LoginStorage::Local(Rc::new(local)))
    }

    #[cfg(feature = "etcd")]
    #[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
    fn open_etcd(
        &self,
        settings: &Settings,
        folders: &Folders,
        identity: &[&str],
    ) -> Result<LoginStorage> {
        let timeout = self.keyring_timeout;
        let local = LocalFiles::new(settings.clone(), folders, identity, self.cache, timeout);
        Ok(LoginStorage::Etcd(Rc::new(LazyEtcd::new(local))))
    }

    #[cfg(not(feature = "etcd"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn open_etcd(&self, _: &Settings, _: &Folders, _: &[&str]) -> Result<LoginStorage> {
        let what = "the profile stores its login in etcd, and this program was built without etcd";
        Err(Error::new(Kind::Configuration, what)
            .hint("build it with: cargo install --path . --features etcd"))
    }
}

fn no_etcd() -> Error {
    let what = "storage = \"etcd\" needs a table etcd in the profile";
    Error::new(Kind::Configuration, what).hint("docs/fleet.md shows one")
}

fn only_codex_logins() -> Error {
    Error::new(Kind::Usage, "the storage codex takes only logins of the profile codex")
        .hint("use the storage file, keyring, memory or etcd")
}

/// The storage of a profile's login.
///
/// A closed list, not a trait object: the answering program reads logins and links no code that writes them.
#[derive(Clone, Debug)]
pub enum LoginStorage {
    /// Codex's own login, shared with Codex.
    Codex(Rc<CodexHome>),
    /// Logins of our own in files, in the keyring or in memory.
    Local(Rc<LocalStorage>),
    /// A login that many hosts share.
    #[cfg(feature = "etcd")]
    Etcd(Rc<LazyEtcd>),
}

impl LoginStorage {
    /// Reads the login from files only. `None` does not mean that a keyring or etcd has no login.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        match self {
            Self::Codex(home) => home.read_cached(),
            Self::Local(local) => local.read_cached(),
            #[cfg(feature = "etcd")]
            Self::Etcd(etcd) => Ok(etcd.read_cached()),
        }
    }

    /// Returns Codex's own storage if the login is kept there.
    pub fn as_codex(&self) -> Option<&CodexHome> {
        match self {
            Self::Codex(home) => Some(home),
            Self::Local(_) => None,
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => None,
        }
    }

    /// Returns the storage of the login of account `name`, if the storage keeps an account of that name.
    pub fn of_account(&self, name: &str) -> Result<Option<Self>> {
        match self {
            Self::Codex(_) => Ok(None),
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => Ok(None),
            Self::Local(local) => Ok(local.of_account(name)?.map(Rc::new).map(Self::Local)),
        }
    }
}

impl Deref for LoginStorage {
    type Target = dyn Storage;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Codex(home) => &**home,
            Self::Local(local) => &**local,
            #[cfg(feature = "etcd")]
            Self::Etcd(etcd) => &***etcd,
        }
    }
}
