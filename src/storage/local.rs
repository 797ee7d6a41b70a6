//! Logins of this program's own: in files, in the platform's keyring, or in memory until the machine restarts. Each
//! issuer, client and scope has a folder, with one login per account.
//!
//! ```text
//! STORAGE/FOLDER/accounts    the accounts, and which of them is the default one
//! STORAGE/FOLDER/write       the lock of every change in the folder; empty, never deleted
//! STORAGE/FOLDER/sign-in/    the sign-in directory
//! STORAGE/FOLDER/KEY/        the login directory of one account, with the login itself in `login`
//! ```
//!
//! STORAGE is `logins`, `keyring` or `memory`, FOLDER is what [`folder_name`] returns, and KEY is the hash of an account. In
//! a keyring, `accounts` and `login` are items of these names. Copies without refresh token and ID token lie under the
//! same names in memory, where the system has a folder in memory.

use crate::account::Account;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::login::Login;
use crate::quote;
use crate::storage::files::Bytes;
use crate::storage::keyring::Item;
use crate::storage::location::Location;
use crate::storage::login_dir::LoginDir;
use crate::storage::{CachedLogin, StorageKind};
use crate::tokens::Fingerprint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct LocalStorage {
    /// The folder of this issuer, client and scope.
    pub(super) dir: PathBuf,
    /// The folder's name. It begins the names of the keyring items.
    folder: String,
    /// `None` for files.
    keyring_timeout: Option<Duration>,
    /// Whether copies of keyring items lie in `dir`, which is in memory.
    pub(super) has_copies: bool,
    /// The account that is named; `None` stands for the default one.
    account: Option<String>,
}

/// The hash of a user and a workspace.
pub(super) type Key = String;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Accounts {
    pub default: Option<Key>,
    pub accounts: BTreeMap<Key, Account>,
}

/// How a value is read: from files alone, or from wherever it is.
type Reading = fn(&Location) -> Result<Option<Bytes>>;

impl LocalStorage {
    /// `identity` lists what separates logins: issuer (first), client id, scope, audience, resource, parameters.
    /// `cache` says whether copies of keyring items may lie in memory.
    ///
    /// # Errors
    /// `Configuration` when the system has no folder in memory and `kind` needs one.
    pub fn new(
        kind: StorageKind,
        folders: &Folders,
        identity: &[&str],
        account: Option<String>,
        cache: bool,
        keyring_timeout: Duration,
    ) -> Result<Self> {
        // The locks of keyring logins are beside the keyring's own socket, so that all who share the keyring meet.
        let runtime = folders.runtime.as_ref().filter(|_| kind != StorageKind::File);
        if kind == StorageKind::Memory && runtime.is_none() {
            return Err(no_memory_folder());
        }
        let storage = if kind == StorageKind::File { "logins" } else { kind.name() };
        let folder = folder_name(identity);
        Ok(Self {
            dir: runtime.unwrap_or(&folders.state).join(storage).join(&folder),
            folder,
            keyring_timeout: (kind == StorageKind::Keyring).then_some(keyring_timeout),
            has_copies: kind == StorageKind::Keyring && cache && runtime.is_some(),
            account,
        })
    }

    /// Returns the login as files show it. Takes no lock and asks no keyring.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        let Some(key) = self.key_by(Location::read_cached)? else { return Ok(None) };
        let location = self.login_location(&key);
        let Some(document) = location.read_cached()? else { return Ok(None) };
        let login: Option<Login> = parse(&location, &document).ok();
        Ok(login.map(|login| CachedLogin { login, login_dir: self.login_dir_of(&key) }))
    }

    /// Returns the storage of the login that is called `name`, if there is one.
    pub fn of_account(&self, name: &str) -> Result<Option<Self>> {
        let key = self.stored_accounts()?.key_of(name)?;
        Ok(key.map(|_| Self { account: Some(name.to_owned()), ..self.clone() }))
    }

    /// Returns the location of a value of this folder.
    pub(super) fn location(&self, name: &str) -> Location {
        let path = self.dir.join(name);
        match self.keyring_timeout {
            None => Location::File(path),
            Some(timeout) => Location::Keyring {
                item: Item::own(format!("{}/{name}", self.folder), timeout),
                copy: self.has_copies.then_some(path),
            },
        }
    }

    pub(super) fn login_location(&self, key: &Key) -> Location {
        self.location(&format!("{key}/login"))
    }

    pub(super) fn login_dir_of(&self, key: &Key) -> LoginDir {
        LoginDir::new(self.dir.join(key))
    }

    fn accounts_by(&self, read: Reading) -> Result<Accounts> {
        let location = self.location("accounts");
        read(&location)?.map_or_else(|| Ok(Accounts::default()), |bytes| parse(&location, &bytes))
    }

    pub(super) fn stored_accounts(&self) -> Result<Accounts> {
        self.accounts_by(Location::read_nearest)
    }

    pub(super) fn write_accounts(&self, accounts: &Accounts) -> Result<()> {
        let bytes = serde_json::to_vec(accounts).expect("accounts serialize");
        self.location("accounts").write_with_copy(&bytes, &bytes)
    }

    fn key_by(&self, read: Reading) -> Result<Option<Key>> {
        let accounts = self.accounts_by(read)?;
        match &self.account {
            None => Ok(accounts.default),
            Some(name) => accounts.key_of(name),
        }
    }

    /// Returns the key of the named account, else of the default one; `None` where no such login is stored.
    pub(super) fn key(&self) -> Result<Option<Key>> {
        self.key_by(Location::read_nearest)
    }

    pub(super) fn stored_login(&self, key: &Key) -> Result<Option<Login>> {
        let location = self.login_location(key);
        let Some(bytes) = location.read()? else { return Ok(None) };
        let login: Login = parse(&location, &bytes)?;
        if key_of(&login.stored_account) != *key {
            let what = format!("{location} is the login of another account");
            return Err(Error::new(Kind::LoginUnreadable, what).sign_in_again());
        }
        Ok(Some(login))
    }
}

impl Accounts {
    /// Returns the key of the account that is called `name`; of several, the default one.
    ///
    /// # Errors
    /// `Usage` when several accounts have this name, and none of them is the default one.
    pub(super) fn key_of(&self, name: &str) -> Result<Option<Key>> {
        let called = self.accounts.iter().filter(|(_, account)| account.is_named(name));
        let called: Vec<_> = called.collect();
        match called[..] {
            [] => Ok(None),
            [(key, _)] => Ok(Some(key.clone())),
            _ if called.iter().any(|(key, _)| self.default.as_ref() == Some(*key)) => {
                Ok(self.default.clone())
            }
            [(_, first), (_, second), ..] => {
                let workspace = |account: &Account| account.account_id.clone().unwrap_or_default();
                let [first, second] = [first, second].map(|it| quote::shell(&workspace(it)));
                let what = format!("{name} is signed in to more than one workspace");
                let hint = format!("name one: --account {first}, or {second}");
                Err(Error::new(Kind::Usage, what).hint(hint))
            }
        }
    }
}

/// Returns the name of the folder of an issuer, a client and a scope: the issuer's host, and a hash of all of them.
pub fn folder_name(identity: &[&str]) -> String {
    let host = identity[0].split("://").last().unwrap_or_default();
    let host: String =
        host.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let hash = Fingerprint::of(identity.join("\0").as_bytes());
    format!("{host}-{}", hash.prefix(16))
}

/// Returns the key of an account. Two workspaces of one user are two accounts.
pub(super) fn key_of(account: &Account) -> Key {
    let user = account.user_id.as_ref().or(account.email.as_ref()).or(account.label.as_ref());
    let parts = [user, account.account_id.as_ref()].map(|part| part.map_or("", String::as_str));
    Fingerprint::of(parts.join("\0").as_bytes()).prefix(16).to_owned()
}

/// Parses a value. The error never quotes it.
fn parse<T: DeserializeOwned>(location: &Location, bytes: &Bytes) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let position = format!("line {}, column {}", error.line(), error.column());
        let what = format!("cannot parse {location} ({position})");
        Error::new(Kind::LoginUnreadable, what).sign_in_again()
    })
}

fn no_memory_folder() -> Error {
    Error::new(
        Kind::Configuration,
        "storage = \"memory\" needs a private folder in memory, and XDG_RUNTIME_DIR names none",
    )
    .hint("sign in to the machine through the desktop or ssh, or choose another storage")
}
