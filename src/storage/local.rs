//! Logins of this program's own: in files, in the platform's keyring, or in memory until the machine restarts. One
//! folder for each issuer, client and scope has one login for each account.
//!
//! ```text
//! MEDIUM/ISSUER-HASH/default          which account is the default one
//! MEDIUM/ISSUER-HASH/accounts         the accounts
//! MEDIUM/ISSUER-HASH/write            the lock of every change here; empty, never deleted
//! MEDIUM/ISSUER-HASH/sign-in/         the sign-in directory
//! MEDIUM/ISSUER-HASH/ACCOUNT-HASH/    a login directory, with the login itself in `login`
//! ```
//!
//! In a keyring, `default`, `accounts` and `login` are items of these names. Copies without refresh token and ID token
//! lie under the same names in memory, where the system has a folder in memory.

use crate::account::Account;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::login::Login;
use crate::storage::cached_value::CachedValue;
use crate::storage::files::sweep_temporary_files;
use crate::storage::journal::{self, Intent, Journal, Request, Unfinished};
use crate::storage::local_hold::Held;
use crate::storage::local_logins::{Key, LocalLogins, Medium, parse};
use crate::storage::lock::Lock;
use crate::storage::login_dir::{LoginDir, SignInDir, create_private};
use crate::storage::stored_login::StoredLogin;
use crate::storage::{CachedLogin, HeldLogin, Storage};
use crate::tokens::{Fingerprint, to_json};
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct LocalStorage {
    logins: LocalLogins,
}

impl LocalStorage {
    /// `granted_by` names issuer, client, scope and whatever else makes one login another. The issuer comes first.
    ///
    /// # Errors
    /// `Configuration` when the system has no folder for the medium.
    pub fn new(
        medium: Medium,
        folders: &Folders,
        granted_by: &[&str],
        account: Option<String>,
    ) -> Result<Self> {
        let root = match (medium, &folders.runtime) {
            (Medium::File, _) | (Medium::Keyring { .. }, None) => &folders.state,
            // Beside the keyring's own socket, so that all who share the keyring meet.
            (Medium::Memory | Medium::Keyring { .. }, Some(runtime)) => runtime,
            (Medium::Memory, None) => return Err(no_memory()),
        };
        let in_memory = folders.runtime.as_ref() == Some(root);
        let kind = match medium {
            Medium::File => "logins",
            Medium::Keyring { .. } => "keyring",
            Medium::Memory => "memory",
        };
        let name = name_of(granted_by);
        let dir = root.join(kind).join(&name);
        Ok(Self { logins: LocalLogins { medium, dir, name, in_memory, account } })
    }

    /// Returns the login as files show it. Takes no lock and asks no keyring.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        let Some(key) = self.logins.key_by(CachedValue::read_cached)? else { return Ok(None) };
        let value = self.logins.login_value(&key);
        let Some(document) = value.read_cached()? else { return Ok(None) };
        let login = parse(&value, &document).ok().map(StoredLogin::login);
        Ok(login.map(|login| CachedLogin { login, login_dir: self.logins.login_dir_of(&key) }))
    }

    /// Returns the storage of the login that is called `name`, if there is one.
    pub fn of_account(&self, name: &str) -> Result<Option<Self>> {
        let account = Some(name.to_owned());
        Ok(self
            .logins
            .key_of(name, CachedValue::read_nearest)?
            .map(|_| Self { logins: LocalLogins { account, ..self.logins.clone() } }))
    }

    /// Writes the copies again, unless another process is changing a login.
    fn write_copies(&self, key: &Key) -> Result<()> {
        create_private(&self.logins.dir)?;
        let Some(_lock) = Lock::try_acquire(&self.logins.dir.join("write"))? else { return Ok(()) };
        for name in ["default", "accounts"] {
            let value = self.logins.value(name);
            if let Some(bytes) = value.read()? {
                value.write_copy(&bytes)?;
            }
        }
        let Some(document) = self.logins.document(key)? else { return Ok(()) };
        self.logins.login_value(key).write_copy(&to_json(&document.without_long_lived()))
    }
}

impl Storage for LocalStorage {
    fn login_dir(&self) -> Result<Option<LoginDir>> {
        Ok(self.logins.key()?.map(|key| self.logins.login_dir_of(&key)))
    }

    fn sign_in_dir(&self) -> SignInDir {
        self.logins.sign_in_dir()
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.logins.dir.clone()]
    }

    fn load(&self) -> Result<Option<Login>> {
        let Some(key) = self.logins.key()? else { return Ok(None) };
        Ok(self.logins.document(&key)?.map(StoredLogin::login))
    }

    fn refresh_copies(&self) -> Result<()> {
        if self.logins.value("default").copy.is_some()
            && let Some(key) = self.logins.key()?
        {
            // Without copies each call asks the keyring: slower, and right.
            let _ = self.write_copies(&key);
        }
        Ok(())
    }

    fn describe(&self) -> Result<String> {
        let key = self.logins.key()?.unwrap_or_else(|| "ACCOUNT".into());
        Ok(self.logins.login_value(&key).location.to_string())
    }

    /// Takes no lock; see `local_hold.rs`.
    fn hold(&self, _deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        create_private(&self.logins.dir)?;
        Ok(Box::new(Held { logins: &self.logins }))
    }

    fn sweep(&self) {
        sweep_temporary_files(&self.logins.dir);
        for folder in fs::read_dir(&self.logins.dir).into_iter().flatten().flatten() {
            sweep_temporary_files(&folder.path());
        }
    }

    fn unfinished(&self, request: Request) -> Result<Option<Unfinished>> {
        let (journal, value) = match request {
            Request::SignIn => (self.logins.sign_in_dir().journal(), self.logins.new_login_value()),
            Request::Refresh => {
                let Some(key) = self.logins.key()? else { return Ok(None) };
                (self.logins.login_dir_of(&key).journal(), self.logins.login_value(&key))
            }
        };
        journal::unfinished(&journal, || value.location.seal(request))
    }

    fn begin_sign_in(&self, intent: &Intent) -> Result<Journal> {
        let seal = self.logins.new_login_value().location.new_seal(Request::SignIn)?;
        Journal::begin(&self.logins.sign_in_dir().journal(), intent, seal)
    }

    fn end_sign_in(&self) -> Result<()> {
        self.logins.sign_in_dir().forget()?;
        // A key without a journal is harmless, and the next sign-in replaces it.
        let _ = self.logins.new_login_value().location.remove_seal(Request::SignIn);
        Ok(())
    }

    fn accounts(&self) -> Result<Vec<Account>> {
        Ok(self.logins.stored_accounts()?.into_values().collect())
    }
}

/// Returns the name of the folder of an issuer, a client and a scope.
pub fn name_of(granted_by: &[&str]) -> String {
    let host = granted_by[0].split("://").last().unwrap_or_default();
    let host: String =
        host.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let hash = Fingerprint::of(granted_by.join("\0").as_bytes());
    format!("{host}-{}", hash.prefix(16))
}

fn no_memory() -> Error {
    Error::new(
        Kind::Configuration,
        "storage = \"memory\" needs a private folder in memory, and XDG_RUNTIME_DIR names none",
    )
    .hint("sign in to the machine through the desktop or ssh, or choose another storage")
}
