//! Opens the storage of a profile.

use crate::client::ClientRegistration;
use crate::error::{Error, Kind, Result};
#[cfg(feature = "etcd")]
use crate::fleet::{local::LocalFiles, storage::LazyEtcd};
use crate::folders::Folders;
use crate::profile::profile_table::{Cache, ProfileTable};
use crate::storage::codex_home::CodexHome;
use crate::storage::local::LocalStorage;
use crate::storage::{CachedLogin, Storage, StorageKind};
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// Where Codex's login lies, and how long a keyring may take.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    pub codex_home: PathBuf,
    pub keyring_timeout: Duration,
}

/// Opens the storage `kind` of the logins of `client`, for the account that is named, or for the default account.
///
/// # Errors
/// `Configuration` or `Usage` if the profile or the system has no such storage.
pub fn open(
    kind: StorageKind,
    settings: &ProfileTable,
    client: &ClientRegistration,
    account: Option<String>,
    options: &StorageOptions,
) -> Result<LoginStorage> {
    let timeout = options.keyring_timeout;
    let cache = settings.cache.unwrap_or_default() == Cache::Runtime;
    // Logins that differ in one of these are kept apart.
    let requested = [&settings.scope, &settings.audience, &settings.resource];
    let requested = requested.map(|part| part.as_deref().unwrap_or_default());
    let parameters = settings.parameters.iter();
    let parameters: Vec<_> = parameters.flat_map(|it| [&*it.name, &*it.value]).collect();
    let identity = [&[&*client.issuer, &client.client_id], &requested[..], &parameters].concat();
    Ok(match kind {
        StorageKind::Codex => {
            let home = CodexHome::new(options.codex_home.clone(), timeout);
            LoginStorage::Codex(Rc::new(home))
        }
        #[cfg(feature = "etcd")]
        StorageKind::Etcd => {
            let settings = settings.etcd.clone().ok_or_else(no_etcd)?;
            let local = LocalFiles::new(settings, &Folders::of_user()?, &identity, cache, timeout);
            LoginStorage::Etcd(Rc::new(LazyEtcd::new(local)))
        }
        #[cfg(not(feature = "etcd"))]
        StorageKind::Etcd => return Err(no_etcd()),
        StorageKind::File | StorageKind::Keyring | StorageKind::Memory => {
            let local =
                LocalStorage::new(kind, &Folders::of_user()?, &identity, account, cache, timeout)?;
            LoginStorage::Local(Rc::new(local))
        }
    })
}

#[cfg(feature = "etcd")]
fn no_etcd() -> Error {
    let what = "storage = \"etcd\" needs a table etcd in the profile";
    Error::new(Kind::Configuration, what).hint("docs/fleet.md shows one")
}

#[cfg(not(feature = "etcd"))]
fn no_etcd() -> Error {
    let what = "the profile stores its login in etcd, and this program was built without etcd";
    Error::new(Kind::Configuration, what)
        .hint("build it with: cargo install --path . --features etcd")
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
        if let Self::Codex(home) = self { Some(home) } else { None }
    }

    /// Returns the storage if it is one of our own on this machine.
    pub fn as_local(&self) -> Option<&LocalStorage> {
        if let Self::Local(local) = self { Some(local) } else { None }
    }

    /// Returns the storage of the login of account `name`, if the storage keeps an account of that name.
    pub fn of_account(&self, name: &str) -> Result<Option<Self>> {
        let Self::Local(local) = self else { return Ok(None) };
        Ok(local.of_account(name)?.map(Rc::new).map(Self::Local))
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
