//! Logins of this program's own: in files, in the platform's keyring, or in memory until the machine restarts. One
//! folder for each issuer, client and scope; in it one login for each account, and the name of the default one.
//!
//! ```text
//! ISSUER-HASH/default          which account is meant where none is named
//! ISSUER-HASH/accounts         who they are
//! ISSUER-HASH/write            the kernel lock of every write here, held for the write alone; never deleted
//! ISSUER-HASH/ACCOUNT/login    the login, with its Place around it
//! ISSUER-HASH/new…/            the Place of a sign-in that starts without a login
//! ```
//!
//! In a keyring the first two and the login are items of these names, and where the system has a folder in memory,
//! copies without refresh token and id token lie there, under the same names.

use crate::account::Account;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::login::Login;
use crate::storage::cached_value::CachedValue;
use crate::storage::files::{Bytes, sweep_temporary_files};
use crate::storage::journal::{self, Intent, Journal, Unfinished};
use crate::storage::keyring::{Item, KeyringTimeouts};
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::storage::login_dir::{LoginDir, create_private};
use crate::storage::seal::Seal;
use crate::storage::stored_login::StoredLogin;
use crate::storage::{CachedLogin, Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Where the secrets lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    File,
    /// `patience` is how long the keyring is waited for.
    Keyring {
        cache: bool,
        patience: KeyringTimeouts,
    },
    Memory,
}

#[derive(Clone, Debug)]
pub struct LocalStorage {
    medium: Medium,
    /// The folder of this issuer, client and scope.
    dir: PathBuf,
    /// Its name, as part of the items' names.
    name: String,
    /// Whether `dir` is in memory.
    in_memory: bool,
    /// The account that is meant; the default one where none is named.
    account: Option<String>,
}

/// Begins the names of places without a login; no hash is like it.
const NEW: &str = "new";

/// Which account: a hash of user and workspace.
type Key = String;
type Accounts = BTreeMap<Key, Account>;

/// How much is done to read a value.
type Reading = fn(&CachedValue) -> Result<Option<Bytes>>;

impl LocalStorage {
    /// `granted_by` names issuer, client, scope and all else that makes one login another; the first names the
    /// issuer's host.
    ///
    /// # Errors
    /// `Configuration` when the system has no place for the medium.
    pub fn new(
        medium: Medium,
        folders: &Folders,
        granted_by: &[&str],
        account: Option<String>,
    ) -> Result<Self> {
        let name = name_of(granted_by);
        let root = match (medium, &folders.runtime) {
            (Medium::File, _) | (Medium::Keyring { .. }, None) => &folders.state,
            // Beside the keyring's own socket, so that all who share the keyring meet.
            (Medium::Memory | Medium::Keyring { .. }, Some(runtime)) => runtime,
            (Medium::Memory, None) => return Err(no_memory()),
        };
        let in_memory = folders.runtime.as_ref() == Some(root);
        Ok(Self { medium, dir: root.join("logins").join(&name), name, in_memory, account })
    }

    fn cell(&self, name: &str) -> CachedValue {
        let path = self.dir.join(name);
        match self.medium {
            Medium::File | Medium::Memory => {
                CachedValue { location: Location::File(path), copy: None }
            }
            Medium::Keyring { cache, patience } => CachedValue {
                location: Location::Keyring(Item::own(format!("{}/{name}", self.name), patience)),
                copy: (cache && self.in_memory).then_some(path),
            },
        }
    }

    fn login_cell(&self, key: &Key) -> CachedValue {
        self.cell(&format!("{key}/login"))
    }

    /// The default account, or all of them: small values that change with a sign-in alone.
    fn index<T: DeserializeOwned + Default>(&self, name: &str, read: Reading) -> Result<T> {
        let cell = self.cell(name);
        read(&cell)?.map_or(Ok(T::default()), |bytes| parse(&cell, &bytes))
    }

    fn write_index(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let bytes = serde_json::to_vec(value).expect("indexes serialize");
        self.cell(name).write(&bytes, &bytes)
    }

    /// Which login is meant, if it is there.
    fn key(&self) -> Result<Option<Key>> {
        self.key_by(CachedValue::read_nearest)
    }

    fn key_by(&self, read: Reading) -> Result<Option<Key>> {
        match &self.account {
            None => self.index("default", read),
            Some(name) => self.key_of(name, read),
        }
    }

    fn key_of(&self, name: &str, read: Reading) -> Result<Option<Key>> {
        let accounts: Accounts = self.index("accounts", read)?;
        let is_called = |account: &Account| account.is_named(name);
        let mut called =
            accounts.iter().filter(|(_, account)| is_called(account)).map(|(key, _)| key);
        match (called.next(), called.next()) {
            (None, _) => Ok(None),
            (Some(only), None) => Ok(Some(only.clone())),
            (Some(first), Some(second)) => {
                let default: Option<Key> = self.index("default", read)?;
                let of = |key: &Key| accounts[key].account_id.clone().unwrap_or_default();
                default.filter(|key| accounts.get(key).is_some_and(is_called)).map(Some).ok_or_else(
                    || {
                        let what = format!("{name} is signed in to more than one workspace");
                        let hint = format!("name one: --account {}, or {}", of(first), of(second));
                        Error::new(Kind::Usage, what).hint(hint)
                    },
                )
            }
        }
    }

    /// Returns the login as files alone tell it; takes no lock and asks no keyring.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        let Some(key) = self.key_by(CachedValue::read_cached)? else { return Ok(None) };
        let cell = self.login_cell(&key);
        let Some(document) = cell.read_cached()? else { return Ok(None) };
        let login = parse(&cell, &document).ok().map(StoredLogin::login);
        Ok(login.map(|login| CachedLogin { login, login_dir: self.place_called(&key) }))
    }

    /// Returns the storage of the login that is called `name`, if there is one.
    pub fn of_account(&self, name: &str) -> Result<Option<Self>> {
        let account = Some(name.to_owned());
        Ok(self.key_of(name, CachedValue::read_nearest)?.map(|_| Self { account, ..self.clone() }))
    }

    /// The login's own, or that of a sign-in which is to bring it.
    fn place_name(&self) -> Result<String> {
        Ok(match (self.key()?, &self.account) {
            (Some(key), _) => key,
            (None, None) => NEW.into(),
            (None, Some(account)) => {
                let hash = Fingerprint::of(account.to_lowercase().as_bytes());
                format!("{NEW}-{}", hash.prefix(16))
            }
        })
    }

    fn place_called(&self, name: &str) -> LoginDir {
        LoginDir::new(self.dir.join(name))
    }

    /// The places of sign-ins that started without a login.
    fn new_places(&self) -> impl Iterator<Item = LoginDir> {
        let folders = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
        names.filter(|name| name.starts_with(NEW)).map(|name| self.place_called(&name))
    }

    fn document(&self, key: &Key) -> Result<Option<StoredLogin>> {
        let cell = self.login_cell(key);
        let Some(bytes) = cell.read()? else { return Ok(None) };
        let document: StoredLogin = parse(&cell, &bytes)?;
        if key_of(document.account()) != *key {
            let what = format!("{} is the login of another account", cell.location);
            return Err(Error::new(Kind::Storage, what).sign_in_again());
        }
        Ok(Some(document))
    }

    fn write(&self, key: &Key, document: StoredLogin) -> Result<()> {
        let bytes = to_json(&document);
        let copy = to_json(&document.without_long_lived());
        self.login_cell(key).write(&bytes, &copy)
    }

    fn lock_write(&self, deadline: &Deadline) -> Result<Lock> {
        create_private(&self.dir)?;
        Lock::acquire_or_busy(&self.dir.join("write"), deadline)
    }

    /// Makes the copies anew, after a restart; only where nobody is writing.
    fn copy(&self, key: &Key) -> Result<()> {
        create_private(&self.dir)?;
        let Some(_lock) = Lock::try_acquire(&self.dir.join("write"))? else { return Ok(()) };
        for name in ["default", "accounts"] {
            let cell = self.cell(name);
            if let Some(bytes) = cell.read()? {
                cell.write_copy(&bytes)?;
            }
        }
        let Some(document) = self.document(key)? else { return Ok(()) };
        self.login_cell(key).write_copy(&to_json(&document.without_long_lived()))
    }
}

impl Storage for LocalStorage {
    fn login_dir(&self) -> Result<LoginDir> {
        self.place_name().map(|name| self.place_called(&name))
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.dir.clone()]
    }

    fn load(&self) -> Result<Option<Login>> {
        let Some(key) = self.key()? else { return Ok(None) };
        Ok(self.document(&key)?.map(StoredLogin::login))
    }

    fn refresh_copies(&self) -> Result<()> {
        if let Some(key) = self.key()?
            && self.login_cell(&key).copy.is_some()
        {
            let _ = self.copy(&key);
        }
        Ok(())
    }

    fn describe(&self) -> Result<String> {
        let key = self.key()?.unwrap_or_else(|| "ACCOUNT".into());
        Ok(self.login_cell(&key).location.to_string())
    }

    fn hold(&self, _deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        // Nobody else refreshes what is kept here; the lock of each write is enough.
        Ok(Box::new(Held(self)))
    }

    /// All the logins' folders: a sign-in begins in one, and ends in another.
    fn sweep(&self) {
        sweep_temporary_files(&self.dir);
        for folder in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            sweep_temporary_files(&folder.path());
        }
    }

    fn left(&self) -> Result<Option<Unfinished>> {
        let name = self.place_name()?;
        journal::left(&self.place_called(&name).journal(), || {
            self.login_cell(&name).location.seal()
        })
    }

    fn accounts(&self) -> Result<Vec<Account>> {
        Ok(self.index::<Accounts>("accounts", CachedValue::read_nearest)?.into_values().collect())
    }
}

/// Every write is made under `ISSUER-HASH/write`, and compares under it.
struct Held<'a>(&'a LocalStorage);

impl Held<'_> {
    /// Proves that [`HeldLogin::commit`] could write. Its lock may be taken now; that passes.
    fn seal(&self) -> Result<Option<Seal>> {
        create_private(&self.0.dir)?;
        Lock::try_acquire(&self.0.dir.join("write"))?;
        self.0.login_cell(&self.0.place_name()?).probe()
    }

    fn renew(&self, replaces: Option<&Fingerprint>, tokens: &TokenResponse) -> Result<bool> {
        let Some(key) = self.0.key()? else { return Ok(false) };
        let Some(stored) = self.0.document(&key)? else { return Ok(false) };
        if Some(&stored.fingerprint()) != replaces {
            return Ok(false);
        }
        self.0.write(&key, stored.renewed(tokens))?;
        Ok(true)
    }

    /// A sign-in replaces the earlier login of the same account, and none of another.
    fn sign_in(&self, document: StoredLogin) -> Result<bool> {
        let account = document.account().clone();
        let key = key_of(&account);
        let known = self.0.document(&key)?.map(|stored| stored.signed_in_at());
        if known > Some(document.signed_in_at()) {
            return Ok(false);
        }
        // The same one, recovered after its commit, may have been renewed since.
        if known != Some(document.signed_in_at()) {
            self.0.write(&key, document)?;
        }
        let mut accounts: Accounts = self.0.index("accounts", CachedValue::read_nearest)?;
        accounts.insert(key.clone(), account);
        self.0.write_index("accounts", &accounts)?;
        let default: Option<Key> = self.0.index("default", CachedValue::read_nearest)?;
        if self.0.account.is_none() || default.is_none() {
            self.0.write_index("default", &key)?;
        }
        Ok(true)
    }
}

impl HeldLogin for Held<'_> {
    fn probe(&self) -> Result<()> {
        self.seal().map(drop)
    }

    fn begin(&self, intent: &Intent) -> Result<Option<Journal>> {
        let seal = self.seal()?;
        let login_dir = self.0.place_called(&self.0.place_name()?);
        Journal::begin(&login_dir.journal(), intent, seal).map(Some)
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool> {
        let _lock = self.0.lock_write(deadline)?;
        match *change {
            Change::Renewed(tokens) => self.renew(replaces, tokens),
            Change::SignedIn { tokens, by, at } => match StoredLogin::signed_in(tokens, by, at) {
                Some(document) => self.sign_in(document),
                None => Ok(false),
            },
        }
    }

    /// The only login that is left becomes the default one.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let _lock = self.0.lock_write(deadline)?;
        let Some(key) = self.0.key()? else { return Ok(false) };
        let stored = self.0.document(&key)?.map(StoredLogin::login);
        if !stored.is_some_and(|login| is_meant(&login)) {
            return Ok(false);
        }
        self.0.place_called(&key).forget()?;
        self.0.new_places().try_for_each(|login_dir| login_dir.forget())?;
        let mut accounts: Accounts = self.0.index("accounts", CachedValue::read_nearest)?;
        accounts.remove(&key);
        let default: Option<Key> = self.0.index("default", CachedValue::read_nearest)?;
        if default.as_ref() == Some(&key) {
            let only = accounts.keys().next().filter(|_| accounts.len() == 1);
            self.0.write_index("default", &only)?;
        }
        let removed = self.0.login_cell(&key).remove()?;
        self.0.write_index("accounts", &accounts)?;
        Ok(removed)
    }
}

/// The name of a login's folder or keys.
pub fn name_of(granted_by: &[&str]) -> String {
    let host = granted_by[0].split("://").last().unwrap_or_default();
    let host: String =
        host.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let hash = Fingerprint::of(granted_by.join("\0").as_bytes());
    format!("{host}-{}", hash.prefix(16))
}

/// By user and workspace; two workspaces of one person are two accounts.
fn key_of(account: &Account) -> Key {
    let user = account.user_id.as_ref().or(account.email.as_ref());
    let parts = [user, account.account_id.as_ref()].map(|part| part.map_or("", String::as_str));
    Fingerprint::of(parts.join("\0").as_bytes()).prefix(16).to_owned()
}

/// Never quotes the content.
fn parse<T: DeserializeOwned>(cell: &CachedValue, bytes: &Bytes) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let login_dir = format!("line {}, column {}", error.line(), error.column());
        let what = format!("{} cannot be understood ({login_dir})", cell.location);
        Error::new(Kind::Storage, what).sign_in_again()
    })
}

fn no_memory() -> Error {
    Error::new(Kind::Configuration, "storage = \"memory\" needs a folder in memory that is yours alone")
        .hint("log in through the desktop or by ssh, where XDG_RUNTIME_DIR names one, or choose another storage")
}
