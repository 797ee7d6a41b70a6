//! Changes the logins of [`LocalStorage`]. Each change takes the lock `write` and compares the stored login under it.
//!
//! Nothing is locked during a request: the renewal lock of an account already keeps other processes from renewing its login,
//! and a lock of the whole storage would make the accounts wait for each other's requests.

use crate::account::Account;
use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::login::Login;
use crate::private;
use crate::storage::journal::{self, Intent, Journal, RequestKind};
use crate::storage::local::{Key, LocalStorage, key_of};
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::storage::login_dir::LoginDir;
use crate::storage::{Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse, to_json};
use std::path::PathBuf;

impl Storage for LocalStorage {
    fn login_dir(&self) -> Result<Option<LoginDir>> {
        Ok(self.key()?.map(|key| self.login_dir_of(&key)))
    }

    fn sign_in_dir(&self) -> LoginDir {
        LoginDir::of_sign_ins(&self.dir)
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.dir.clone()]
    }

    /// The account of a sign-in is not known yet: this location only proves that a login can be written.
    fn write_location(&self, request: RequestKind) -> Result<Option<Location>> {
        let key = if request == RequestKind::Refresh { self.key()? } else { None };
        Ok(Some(self.login_location(&key.unwrap_or_else(|| "sign-in".into()))))
    }

    fn load(&self) -> Result<Option<Login>> {
        self.key()?.map_or(Ok(None), |key| self.stored_login(&key))
    }

    fn refresh_copies(&self) -> Result<()> {
        if self.has_copies
            && let Some(key) = self.key()?
        {
            // Without copies each call asks the keyring: slower, and right.
            let _ = self.write_copies(&key);
        }
        Ok(())
    }

    fn describe(&self) -> Result<String> {
        let key = self.key()?.unwrap_or_else(|| "ACCOUNT".into());
        Ok(self.login_location(&key).to_string())
    }

    fn hold(&self, _deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        private::create_own_dir(&self.dir)?;
        Ok(Box::new(self))
    }

    fn accounts(&self) -> Result<Vec<Account>> {
        Ok(self.stored_accounts()?.accounts.into_values().collect())
    }
}

impl LocalStorage {
    /// Returns the path of the lock of every change in this folder.
    fn write_lock(&self) -> Result<PathBuf> {
        private::create_own_dir(&self.dir)?;
        Ok(self.dir.join("write"))
    }

    /// Writes the copies again, unless another process is changing a login.
    fn write_copies(&self, key: &Key) -> Result<()> {
        let Some(_lock) = Lock::try_acquire(&self.write_lock()?)? else { return Ok(()) };
        let accounts = self.location("accounts");
        if let Some(bytes) = accounts.read()? {
            accounts.write_copy(&bytes)?;
        }
        let Some(login) = self.stored_login(key)? else { return Ok(()) };
        self.login_location(key).write_copy(&to_json(&login.without_long_lived()))
    }

    /// Makes `name` the default account. Returns it; `None` where no login of this name is stored.
    pub fn make_default(&self, name: &str, deadline: &Deadline) -> Result<Option<Account>> {
        let _lock = Lock::acquire_or_busy(&self.write_lock()?, deadline)?;
        let mut accounts = self.stored_accounts()?;
        let Some(key) = accounts.key_of(name)? else { return Ok(None) };
        accounts.default = Some(key.clone());
        self.write_accounts(&accounts)?;
        Ok(accounts.accounts.remove(&key))
    }

    fn write(&self, key: &Key, login: Login) -> Result<()> {
        let bytes = to_json(&login);
        let copy = to_json(&login.without_long_lived());
        self.login_location(key).write_with_copy(&bytes, &copy)
    }

    fn renew(&self, replaces: Option<&Fingerprint>, tokens: &TokenResponse) -> Result<bool> {
        let Some(key) = self.key()? else { return Ok(false) };
        let Some(stored) = self.stored_login(&key)? else { return Ok(false) };
        if Some(&stored.fingerprint()) != replaces {
            return Ok(false);
        }
        self.write(&key, stored.renewed(tokens))?;
        Ok(true)
    }

    /// Replaces the earlier login of the same account, and none of another account.
    fn sign_in(&self, login: &Login, is_default: bool) -> Result<bool> {
        let account = login.stored_account.clone();
        let key = key_of(&account);
        let stored_at = self.stored_login(&key)?.map(|stored| stored.signed_in_at);
        // A time in the future is a mistake of a clock, and no reason to drop a sign-in.
        let is_believable = |at: &i64| *at <= clock::now().max(login.signed_in_at);
        if stored_at.filter(is_believable) > Some(login.signed_in_at) {
            return Ok(false);
        }
        // A sign-in that is recovered after its commit may have been renewed since.
        if stored_at != Some(login.signed_in_at) {
            self.write(&key, login.clone())?;
        }
        self.login_dir_of(&key).failure().remove()?;
        let mut accounts = self.stored_accounts()?;
        if is_default || accounts.default.is_none() {
            accounts.default = Some(key.clone());
        }
        accounts.accounts.insert(key, account);
        self.write_accounts(&accounts)?;
        Ok(true)
    }
}

impl HeldLogin for &LocalStorage {
    fn probe(&self) -> Result<()> {
        self.write_location(RequestKind::Refresh)?.map_or(Ok(()), |location| location.probe())
    }

    fn begin_refresh(&self, intent: &Intent) -> Result<Option<Journal>> {
        let Some(login_dir) = self.login_dir()? else { return Ok(None) };
        self.begin(&login_dir, intent).map(Some)
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool> {
        let _lock = Lock::acquire_or_busy(&self.write_lock()?, deadline)?;
        match *change {
            Change::Renewed(tokens) => self.renew(replaces, tokens),
            Change::SignedIn { login, is_default } => self.sign_in(login, is_default),
        }
    }

    /// The only login that is left becomes the default one.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let _lock = Lock::acquire_or_busy(&self.write_lock()?, deadline)?;
        let Some(key) = self.key()? else { return Ok(false) };
        let Some(login) = self.stored_login(&key)?.filter(is_meant) else { return Ok(false) };
        self.sign_in_dir().cancel_for(&login.account())?;
        journal::clear(&self.login_dir_of(&key).journal())?;
        let mut accounts = self.stored_accounts()?;
        if accounts.default.as_ref() == Some(&key) {
            let mut others = accounts.accounts.keys().filter(|other| **other != key);
            let only = others.next().filter(|_| others.next().is_none());
            accounts.default = only.cloned();
            self.write_accounts(&accounts)?;
        }
        let removed = self.login_location(&key).remove()?;
        accounts.accounts.remove(&key);
        self.write_accounts(&accounts)?;
        Ok(removed)
    }
}
