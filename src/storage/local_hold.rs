//! The changes of logins in [`LocalStorage`]. Each takes the `write` lock and compares under it.
//!
//! A hold takes no lock itself: the renewal lock of an account already keeps other processes from renewing its login, and
//! a lock of the whole storage would make the accounts wait for each other's requests.
//!
//! [`LocalStorage`]: crate::storage::local::LocalStorage

use crate::clock::Deadline;
use crate::error::Result;
use crate::login::Login;
use crate::storage::journal::{self, Intent, Journal, Request};
use crate::storage::local_logins::{Key, LocalLogins, key_of};
use crate::storage::stored_login::StoredLogin;
use crate::storage::{Change, HeldLogin};
use crate::tokens::{Fingerprint, TokenResponse, to_json};

pub(super) struct Held<'a> {
    pub logins: &'a LocalLogins,
}

impl Held<'_> {
    fn write(&self, key: &Key, document: StoredLogin) -> Result<()> {
        let bytes = to_json(&document);
        let copy = to_json(&document.without_long_lived());
        self.logins.login_value(key).write(&bytes, &copy)
    }

    fn renew(&self, replaces: Option<&Fingerprint>, tokens: &TokenResponse) -> Result<bool> {
        let Some(key) = self.logins.key()? else { return Ok(false) };
        let Some(stored) = self.logins.document(&key)? else { return Ok(false) };
        if Some(&stored.fingerprint()) != replaces {
            return Ok(false);
        }
        self.write(&key, stored.renewed(tokens))?;
        Ok(true)
    }

    /// Replaces the earlier login of the same account, and none of another account.
    fn sign_in(&self, document: StoredLogin, is_default: bool) -> Result<bool> {
        let account = document.account().clone();
        let key = key_of(&account);
        let stored = self.logins.document(&key)?.map(|stored| stored.signed_in_at());
        if stored > Some(document.signed_in_at()) {
            return Ok(false);
        }
        // A sign-in that is recovered after its commit may have been renewed since.
        if stored != Some(document.signed_in_at()) {
            self.write(&key, document)?;
        }
        self.logins.login_dir_of(&key).failure().remove()?;
        let mut accounts = self.logins.stored_accounts()?;
        accounts.insert(key.clone(), account);
        self.logins.write_index("accounts", &accounts)?;
        if is_default || self.logins.default_key()?.is_none() {
            self.logins.write_index("default", &key)?;
        }
        Ok(true)
    }
}

impl HeldLogin for Held<'_> {
    fn probe(&self) -> Result<()> {
        self.logins.trial_value()?.location.probe()
    }

    fn begin_refresh(&self, intent: &Intent) -> Result<Option<Journal>> {
        let Some(key) = self.logins.key()? else { return Ok(None) };
        let seal = self.logins.login_value(&key).location.new_seal(Request::Refresh)?;
        let journal = self.logins.login_dir_of(&key).journal();
        Journal::begin(&journal, intent, seal).map(Some)
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool> {
        let _lock = self.logins.lock_write(deadline)?;
        match *change {
            Change::Renewed(tokens) => self.renew(replaces, tokens),
            Change::SignedIn { tokens, by, at, is_default } => {
                match StoredLogin::signed_in(tokens, by, at) {
                    Some(document) => self.sign_in(document, is_default),
                    None => Ok(false),
                }
            }
        }
    }

    /// The only login that is left becomes the default one.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let _lock = self.logins.lock_write(deadline)?;
        let Some(key) = self.logins.key()? else { return Ok(false) };
        let stored = self.logins.document(&key)?.map(StoredLogin::login);
        if !stored.is_some_and(|login| is_meant(&login)) {
            return Ok(false);
        }
        self.logins.sign_in_dir().cancel()?;
        journal::clear(&self.logins.login_dir_of(&key).journal())?;
        let mut accounts = self.logins.stored_accounts()?;
        accounts.remove(&key);
        if self.logins.default_key()?.as_ref() == Some(&key) {
            let only = accounts.keys().next().filter(|_| accounts.len() == 1);
            self.logins.write_index("default", &only)?;
        }
        let removed = self.logins.login_value(&key).remove()?;
        self.logins.write_index("accounts", &accounts)?;
        Ok(removed)
    }
}
