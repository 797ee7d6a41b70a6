//! Changes Codex's login: the only code that writes `auth.json` or Codex's keyring item.
//!
//! Codex holds no lock during a refresh request. To write, it takes `auth.lock`, then tries `auth.json.lock` without waiting
//! and discards its new tokens if that one is taken. So we take `auth.json.lock` only for a write, and only while holding
//! `auth.lock`. We hold `auth.lock` during our refresh requests too, so that Codex writes no login meanwhile.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::{Login, significant_skew};
use crate::private;
use crate::storage::auth_json::{self, AuthJson};
use crate::storage::codex_home::{CodexHome, malformed};
use crate::storage::files::{Bytes, folder_of};
use crate::storage::journal::{self, Intent, Journal, RequestKind};
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::storage::login_dir::LoginDir;
use crate::storage::{Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse};
use std::path::PathBuf;
use zeroize::Zeroizing;

impl Storage for CodexHome {
    fn login_dir(&self) -> Result<Option<LoginDir>> {
        Ok(Some(self.login_dir().clone()))
    }

    fn sign_in_dir(&self) -> LoginDir {
        LoginDir::of_sign_ins(self.login_dir().dir())
    }

    /// The second folder is where a link at `auth.json` leads.
    fn watched(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.dir().to_owned(), folder_of(&self.linked_file()).to_owned()];
        folders.dedup();
        folders
    }

    fn write_location(&self, request: RequestKind) -> Result<Option<Location>> {
        match request {
            RequestKind::Refresh => self.location().map(Some),
            RequestKind::SignIn => self.location_of_new_login().map(Some),
        }
    }

    fn check_folder(&self) -> Result<()> {
        let target = self.linked_file();
        if target == self.dir().join("auth.json") || folder_of(&target).is_dir() {
            return Ok(());
        }
        let (location, target) = (self.file(), target.display());
        let what = format!("{location} is a link to {target}, whose folder does not exist");
        Err(Error::new(Kind::Configuration, what)
            .hint("mount or create that folder, or remove the link"))
    }

    fn load(&self) -> Result<Option<Login>> {
        self.load_login()
    }

    fn describe(&self) -> Result<String> {
        let location = self.location()?;
        let target = self.linked_file();
        let is_dangling =
            location == self.file() && !target.exists() && target != self.dir().join("auth.json");
        Ok(if is_dangling {
            format!("{location}, a link to {}, which does not exist", target.display())
        } else {
            location.to_string()
        })
    }

    /// Takes Codex's `auth.lock`.
    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        private::create_dir(self.dir())?;
        let auth_lock = Lock::acquire_or_busy(&self.dir().join("auth.lock"), deadline)?;
        let mut write_lock_path = self.linked_file().into_os_string();
        write_lock_path.push(".lock");
        let write_lock_path = write_lock_path.into();
        Ok(Box::new(HeldCodexLogin { home: self, _auth_lock: auth_lock, write_lock_path }))
    }

    fn holder(&self) -> Option<String> {
        let path = self.dir().join("auth.lock");
        Lock::holder(&path).map(|holder| format!("{holder} holds the lock {}", path.display()))
    }
}

/// A login whose `auth.lock` is held.
struct HeldCodexLogin<'a> {
    home: &'a CodexHome,
    _auth_lock: Lock,
    /// Codex's `auth.json.lock`.
    write_lock_path: PathBuf,
}

impl HeldLogin for HeldCodexLogin<'_> {
    fn probe(&self) -> Result<()> {
        self.probe_write_lock()?;
        self.home.location()?.probe()
    }

    fn begin_refresh(&self, intent: &Intent) -> Result<Option<Journal>> {
        self.probe_write_lock()?;
        self.home.begin(self.home.login_dir(), intent).map(Some)
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool> {
        let _write_lock = Lock::acquire_or_busy(&self.write_lock_path, deadline)?;
        let is_sign_in = matches!(change, Change::SignedIn { .. });
        let stored = self.stored_fingerprint(is_sign_in && replaces.is_none())?;
        if stored.as_ref() != replaces {
            return Ok(false);
        }
        match *change {
            Change::Renewed(tokens) => self.write_renewal(tokens),
            Change::SignedIn { login, .. } => self.write_sign_in(login).map(|()| true),
        }
    }

    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let _write_lock = Lock::acquire_or_busy(&self.write_lock_path, deadline)?;
        let Some(login) = self.home.load_login()?.filter(is_meant) else { return Ok(false) };
        self.home.sign_in_dir().cancel_for(&login.account())?;
        journal::clear_for(&self.home.login_dir().journal(), &login.fingerprint())?;
        self.home.login_dir().pinned().remove()?;
        let mut removed = false;
        for location in self.home.locations()? {
            removed |= location.remove()?;
        }
        Ok(removed)
    }
}

impl HeldCodexLogin<'_> {
    /// Proves that `auth.json.lock` can be opened. Another process may hold it for a moment.
    fn probe_write_lock(&self) -> Result<()> {
        Lock::try_acquire(&self.write_lock_path).map(drop)
    }

    /// Returns which login is stored. An API key counts as none, and with `may_be_damaged` so does a document that
    /// cannot be read.
    fn stored_fingerprint(&self, may_be_damaged: bool) -> Result<Option<Fingerprint>> {
        match self.home.load_login() {
            Err(error) if error.kind == Kind::LoginRequired || may_be_damaged => Ok(None),
            login => Ok(login?.map(|login| login.fingerprint())),
        }
    }

    /// Writes the tokens to where the login is. Returns false without a login.
    fn write_renewal(&self, tokens: &TokenResponse) -> Result<bool> {
        let Some((location, document)) = self.home.document()? else { return Ok(false) };
        let document = auth_json::after_renewal(&document, tokens);
        write(&location, document)?;
        self.record_skew(tokens.skew)?;
        Ok(true)
    }

    /// Writes the login to where Codex would store a new one.
    fn write_sign_in(&self, login: &Login) -> Result<()> {
        let document = self.document_or_set_aside()?;
        let location = self.home.location_of_new_login()?;
        let document = document.as_deref().map(Vec::as_slice);
        let document = auth_json::after_sign_in(document, login);
        write(&location, document)?;
        self.record_skew(Some(login.skew))?;
        self.home.login_dir().failure().remove()?;
        if location != self.home.file() {
            // Codex does the same, so that the keyring's login is the only one.
            self.home.file().remove()?;
        }
        Ok(())
    }

    /// Returns the stored document. A damaged one is set aside and counts as none.
    fn document_or_set_aside(&self) -> Result<Option<Bytes>> {
        let Some((location, document)) = self.home.document()? else { return Ok(None) };
        if AuthJson::parse(&document).is_err() {
            location.set_aside()?;
            return Ok(None);
        }
        Ok(Some(document))
    }

    /// Records how far the server's clock is ahead, which `auth.json` has no member for. It is recorded after the login,
    /// because other processes must not judge the old login by it.
    fn record_skew(&self, skew: Option<i64>) -> Result<()> {
        let record = self.home.login_dir().skew();
        match skew.map(|skew| significant_skew(Some(skew))) {
            Some(0) => record.remove(),
            Some(skew) => record.save(&skew),
            None => Ok(()),
        }
    }
}

fn write(location: &Location, document: serde_json::Result<Vec<u8>>) -> Result<()> {
    let document = document.map_err(|error| malformed(location, &error))?;
    location.write(&Zeroizing::new(document))
}
