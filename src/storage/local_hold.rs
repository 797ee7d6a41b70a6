//! Changes the logins in [`LocalStorage`]. Each change takes the lock `write` and compares under it.
//!
//! A hold takes no lock itself: the renewal lock of an account already keeps other processes from renewing its login, and
//! a lock of the whole storage would make the accounts wait for each other's requests.

use crate::clock::Deadline;
use crate::error::Result;
use crate::login::Login;
use crate::storage::journal::{self, Intent, Journal, Request};
use crate::storage::local::{Key, LocalStorage, key_of};
use crate::storage::lock::Lock;
use crate::storage::{Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse, to_json};

pub(super) struct HeldLocalLogin<'a> {
    pub storage: &'a LocalStorage,
}

impl HeldLocalLogin<'_> {
    fn write(&self, key: &Key, login: Login) -> Result<()> {
        let bytes = to_json(&login);
        let copy = to_json(&login.without_long_lived());
        self.storage.login_location(key).write_with_copy(&bytes, &copy)
    }

    fn renew(&self, replaces: Option<&Fingerprint>, tokens: &TokenResponse) -> Result<bool> {
        let Some(key) = self.storage.key()? else { return Ok(false) };
        let Some(stored) = self.storage.stored_login(&key)? else { return Ok(false) };
        if Some(&stored.fingerprint()) != replaces {
            return Ok(false);
        }
        self.write(&key, stored.renewed(tokens))?;
        Ok(true)
    }

    /// Replaces the earlier login of the same account, and none of another account.
    fn sign_in(&self, login: Login, is_default: bool) -> Result<bool> {
        let account = login.stored_account.clone();
        let key = key_of(&account);
        let stored_at = self.storage.stored_login(&key)?.map(|stored| stored.signed_in_at);
        if stored_at > Some(login.signed_in_at) {
            return Ok(false);
        }
        // A sign-in that is recovered after its commit may have been renewed since.
        if stored_at != Some(login.signed_in_at) {
            self.write(&key, login)?;
        }
        self.storage.login_dir_of(&key).failure().remove()?;
        let mut accounts = self.storage.stored_accounts()?;
        if is_default || accounts.default.is_none() {
            accounts.default = Some(key.clone());
        }
        accounts.accounts.insert(key, account);
        self.storage.write_accounts(&accounts)?;
        Ok(true)
    }
}

impl HeldLogin for HeldLocalLogin<'_> {
    fn probe(&self) -> Result<()> {
        self.storage.target(Request::Refresh)?.map_or(Ok(()), |target| target.probe())
    }

    fn begin_refresh(&self, intent: &Intent) -> Result<Option<Journal>> {
        let Some(login_dir) = self.storage.login_dir()? else { return Ok(None) };
        self.storage.begin(&login_dir, intent).map(Some)
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool> {
        let _lock = Lock::acquire_or_busy(&self.storage.write_lock()?, deadline)?;
        match *change {
            Change::Renewed(tokens) => self.renew(replaces, tokens),
            Change::SignedIn { tokens, by, at, is_default } => {
                match Login::signed_in(tokens, by, at) {
                    Some(login) => self.sign_in(login, is_default),
                    None => Ok(false),
                }
            }
        }
    }

    /// The only login that is left becomes the default one.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let _lock = Lock::acquire_or_busy(&self.storage.write_lock()?, deadline)?;
        let Some(key) = self.storage.key()? else { return Ok(false) };
        let stored = self.storage.stored_login(&key)?;
        if !stored.is_some_and(|login| is_meant(&login)) {
            return Ok(false);
        }
        self.storage.sign_in_dir().cancel()?;
        journal::clear(&self.storage.login_dir_of(&key).journal())?;
        let mut accounts = self.storage.stored_accounts()?;
        if accounts.default.as_ref() == Some(&key) {
            let mut others = accounts.accounts.keys().filter(|other| **other != key);
            let only = others.next().filter(|_| others.next().is_none());
            accounts.default = only.cloned();
            self.storage.write_accounts(&accounts)?;
        }
        let removed = self.storage.login_location(&key).remove()?;
        accounts.accounts.remove(&key);
        self.storage.write_accounts(&accounts)?;
        Ok(removed)
    }
}
