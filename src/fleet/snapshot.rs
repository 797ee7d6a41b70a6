//! Everything below a login's prefix, at one revision of etcd, and how the files on this host are updated from it.

use crate::error::{Error, Kind, Result};
use crate::fleet::encryption;
use crate::fleet::local::{AccessCopy, LocalFiles};
use crate::login::Login;
use crate::pending_sign_in::PendingSignIn;
use crate::private;
use crate::storage::etcd_settings::Role;
use crate::storage::files::folder_of;
use crate::storage::records::{InvalidToken, Record, SignedIn};
use crate::storage::shared::HostAction;
use etcd_client::{GetResponse, KeyValue, ResponseHeader};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// A record with encrypted content.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealed {
    #[serde(flatten)]
    pub action: HostAction,
    pub sealed: String,
}

/// A refresh request whose answer is not in etcd.
#[derive(Clone, Serialize, Deserialize)]
pub struct SentRequest {
    #[serde(flatten)]
    pub action: HostAction,
    /// Differs from one request to the next.
    pub request: String,
}

/// A refresh request of another host.
pub struct Unanswered {
    /// `None` if the record is one of another version.
    pub action: Option<HostAction>,
}

pub struct Snapshot {
    pub revision: i64,
    local: Rc<LocalFiles>,
    pairs: Vec<KeyValue>,
}

impl Snapshot {
    pub fn new(local: Rc<LocalFiles>, mut range: GetResponse) -> Self {
        let revision = range.header().map_or(0, ResponseHeader::revision);
        Self { revision, local, pairs: range.take_kvs() }
    }

    fn pair(&self, name: &str) -> Option<&KeyValue> {
        self.pairs.iter().find(|pair| {
            pair.key().strip_prefix(self.local.prefix.as_bytes()) == Some(name.as_bytes())
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.pair(name).is_some()
    }

    /// Returns a record; `None` also for one that this version does not understand.
    pub fn record<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(self.pair(name)?.value()).ok()
    }

    /// Returns the revision at which `name` was last written; 0 if it does not exist.
    pub fn modified(&self, name: &str) -> i64 {
        self.pair(name).map_or(0, KeyValue::mod_revision)
    }

    /// Returns the lease that `name` is bound to; 0 if there is none.
    pub fn lease(&self, name: &str) -> i64 {
        self.pair(name).map_or(0, KeyValue::lease)
    }

    /// Returns the refresh request of another host whose answer is not in etcd. The record of another version, which this
    /// one does not understand, counts as another host's.
    pub fn unanswered(&self) -> Option<Unanswered> {
        if !self.has("intent") {
            return None;
        }
        match self.record::<SentRequest>("intent") {
            Some(sent) if self.local.was_sent_here(&sent.request) => None,
            Some(sent) => Some(Unanswered { action: Some(sent.action) }),
            None => Some(Unanswered { action: self.record("intent") }),
        }
    }

    /// Returns how often a login was written since the last logout.
    pub fn generation(&self) -> i64 {
        self.pair("access").map_or(0, KeyValue::version)
    }

    /// Returns the last renewal or sign-in.
    pub fn last(&self) -> Option<HostAction> {
        self.record::<Sealed>("access").map(|sealed| sealed.action)
    }

    /// Returns the login; without its refresh token for a reader.
    ///
    /// # Errors
    /// `Storage` when the record is damaged, `Configuration` when this host cannot decrypt it.
    pub fn login(&self) -> Result<Option<Login>> {
        let name = match self.local.settings.role {
            Role::Writer => "login",
            Role::Reader => "access",
        };
        if !self.has(name) {
            return Ok(None);
        }
        // Without a cause: serde_json quotes the text that it cannot parse.
        let damaged = || {
            let what = format!("the key {}{name} in etcd is damaged", self.local.prefix);
            Error::new(Kind::Storage, what).sign_in_again()
        };
        let record: Sealed = self.record(name).ok_or_else(damaged)?;
        let opened = encryption::open(&record.sealed, &self.local.settings)?;
        serde_json::from_slice(&opened).map(Some).map_err(|_| damaged())
    }

    /// Returns the pending sign-in; without its request for a reader. `None` also for one that this host cannot open.
    pub fn pending(&self) -> Option<PendingSignIn> {
        let name = match self.local.settings.role {
            Role::Writer => "pending",
            Role::Reader => "prompt",
        };
        let record: Sealed = self.record(name)?;
        let opened = encryption::open(&record.sealed, &self.local.settings).ok()?;
        serde_json::from_slice(&opened).ok()
    }

    /// Updates the files on this host: those of the login last, because it may be one that this host cannot open.
    pub fn write_files(&self) -> Result<()> {
        self.local.login_dir.create()?;
        self.local.sign_in_dir().create()?;
        self.write_invalid_token()?;
        self.write_pending()?;
        self.write_copy()
    }

    fn write_invalid_token(&self) -> Result<()> {
        let here = self.local.login_dir.invalid_token();
        match self.record::<InvalidToken>("invalid-token") {
            Some(invalid) if here.load()?.as_ref() != Some(&invalid) => here.save(&invalid),
            _ => Ok(()),
        }
    }

    /// A sign-in of this host is in etcd before it is in a file.
    fn write_pending(&self) -> Result<()> {
        let here = self.local.sign_in_dir().pending();
        match self.pending() {
            Some(pending) if here.load()?.as_ref() != Some(&pending) => here.save(&pending),
            Some(_) => Ok(()),
            None => here.remove(),
        }
    }

    fn write_copy(&self) -> Result<()> {
        let login = self.login()?;
        let revision = self.modified("access");
        let before = self.local.copy_record().load().ok().flatten();
        if before.as_ref().map(|copy| copy.revision) == Some(revision) {
            return Ok(());
        }
        let Some(login) = login else {
            return self.local.copy_record().remove();
        };
        let signed_in_at = login.signed_in_at;
        let account = login.account();
        if self.local.is_cached {
            private::create_own_dir(folder_of(&self.local.copy))?;
            let login = login.without_long_lived();
            self.local.copy_record().save(&AccessCopy { revision, login })?;
        }
        // Callers on this host that wait for a sign-in see one that another host completed.
        if before.is_none_or(|before| before.login.signed_in_at != signed_in_at) {
            let signed_in = SignedIn { id: signed_in_at.to_string(), account };
            self.local.sign_in_dir().signed_in().save(&signed_in)?;
        }
        // Callers watch the login directory, which a change of the copy alone would not touch.
        Record::new(self.local.login_dir.dir().join("revision")).save(&revision)
    }
}
