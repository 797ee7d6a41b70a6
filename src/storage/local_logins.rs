//! The logins of one issuer, client and scope in [`LocalStorage`]: their names and how they are read.
//!
//! [`LocalStorage`]: crate::storage::local::LocalStorage

use crate::account::Account;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::storage::cached_value::CachedValue;
use crate::storage::files::Bytes;
use crate::storage::keyring::Item;
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::storage::login_dir::{LoginDir, SignInDir, create_private};
use crate::storage::stored_login::StoredLogin;
use crate::tokens::Fingerprint;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where the secrets lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    File,
    Keyring {
        /// Whether a copy of the access token may lie in memory.
        cache: bool,
        timeout: Duration,
    },
    Memory,
}

#[derive(Clone, Debug)]
pub(super) struct LocalLogins {
    pub medium: Medium,
    /// The folder of this issuer, client and scope.
    pub dir: PathBuf,
    /// The folder's name. It begins the names of the keyring items.
    pub name: String,
    /// Whether `dir` is in memory.
    pub in_memory: bool,
    /// The account that is named; `None` stands for the default one.
    pub account: Option<String>,
}

/// The hash of a user and a workspace.
pub(super) type Key = String;
pub(super) type Accounts = BTreeMap<Key, Account>;

/// How a value is read: from files alone, or from wherever it is.
pub(super) type Reading = fn(&CachedValue) -> Result<Option<Bytes>>;

impl LocalLogins {
    pub fn sign_in_dir(&self) -> SignInDir {
        SignInDir::inside(&self.dir)
    }

    pub fn value(&self, name: &str) -> CachedValue {
        let path = self.dir.join(name);
        match self.medium {
            Medium::File | Medium::Memory => {
                CachedValue { location: Location::File(path), copy: None }
            }
            Medium::Keyring { cache, timeout } => CachedValue {
                location: Location::Keyring(Item::own(format!("{}/{name}", self.name), timeout)),
                copy: (cache && self.in_memory).then_some(path),
            },
        }
    }

    pub fn login_value(&self, key: &Key) -> CachedValue {
        self.value(&format!("{key}/login"))
    }

    /// Where a sign-in proves that a login can be written before its account is known.
    pub fn new_login_value(&self) -> CachedValue {
        self.value("sign-in/login")
    }

    /// The value that proves whether a login can be written: the stored login, else a new one.
    pub fn trial_value(&self) -> Result<CachedValue> {
        Ok(self.key()?.map_or_else(|| self.new_login_value(), |key| self.login_value(&key)))
    }

    fn index<T: DeserializeOwned + Default>(&self, name: &str, read: Reading) -> Result<T> {
        let value = self.value(name);
        read(&value)?.map_or(Ok(T::default()), |bytes| parse(&value, &bytes))
    }

    pub fn default_key(&self) -> Result<Option<Key>> {
        self.index("default", CachedValue::read_nearest)
    }

    pub fn stored_accounts(&self) -> Result<Accounts> {
        self.index("accounts", CachedValue::read_nearest)
    }

    pub fn write_index(&self, name: &str, content: &impl Serialize) -> Result<()> {
        let bytes = serde_json::to_vec(content).expect("indexes serialize");
        self.value(name).write(&bytes, &bytes)
    }

    /// Returns the key of the named account, else of the default one; `None` where no such login is stored.
    pub fn key(&self) -> Result<Option<Key>> {
        self.key_by(CachedValue::read_nearest)
    }

    pub fn key_by(&self, read: Reading) -> Result<Option<Key>> {
        match &self.account {
            None => self.index("default", read),
            Some(name) => self.key_of(name, read),
        }
    }

    pub fn key_of(&self, name: &str, read: Reading) -> Result<Option<Key>> {
        let accounts: Accounts = self.index("accounts", read)?;
        let is_called = |account: &Account| account.is_named(name);
        let mut called =
            accounts.iter().filter(|(_, account)| is_called(account)).map(|(key, _)| key);
        match (called.next(), called.next()) {
            (None, _) => Ok(None),
            (Some(only), None) => Ok(Some(only.clone())),
            (Some(first), Some(second)) => {
                let default: Option<Key> = self.index("default", read)?;
                let workspace = |key: &Key| accounts[key].account_id.clone().unwrap_or_default();
                let default = default.filter(|key| accounts.get(key).is_some_and(is_called));
                default.map(Some).ok_or_else(|| {
                    let what = format!("{name} is signed in to more than one workspace");
                    let (first, second) = (workspace(first), workspace(second));
                    let hint = format!("name one: --account {first}, or {second}");
                    Error::new(Kind::Usage, what).hint(hint)
                })
            }
        }
    }

    pub fn login_dir_of(&self, key: &Key) -> LoginDir {
        LoginDir::new(self.dir.join(key))
    }

    pub fn document(&self, key: &Key) -> Result<Option<StoredLogin>> {
        let value = self.login_value(key);
        let Some(bytes) = value.read()? else { return Ok(None) };
        let document: StoredLogin = parse(&value, &bytes)?;
        if key_of(document.account()) != *key {
            let what = format!("{} is the login of another account", value.location);
            return Err(Error::new(Kind::Storage, what).sign_in_again());
        }
        Ok(Some(document))
    }

    /// Takes the lock of every change here.
    pub fn lock_write(&self, deadline: &Deadline) -> Result<Lock> {
        create_private(&self.dir)?;
        Lock::acquire_or_busy(&self.dir.join("write"), deadline)
    }
}

/// Returns the key of an account. Two workspaces of one user are two accounts.
pub(super) fn key_of(account: &Account) -> Key {
    let user = account.user_id.as_ref().or(account.email.as_ref());
    let parts = [user, account.account_id.as_ref()].map(|part| part.map_or("", String::as_str));
    Fingerprint::of(parts.join("\0").as_bytes()).prefix(16).to_owned()
}

/// Parses a value. The error never quotes it.
pub(super) fn parse<T: DeserializeOwned>(value: &CachedValue, bytes: &Bytes) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let position = format!("line {}, column {}", error.line(), error.column());
        let what = format!("cannot parse {} ({position})", value.location);
        Error::new(Kind::Storage, what).sign_in_again()
    })
}
