//! What lies below a login's prefix at one revision.

use crate::error::{Error, Kind, Result};
use crate::fleet::client::Found;
use crate::fleet::encryption;
use crate::fleet::settings::{Role, Settings};
use crate::storage::journal::Intent;
use crate::storage::shared::HostAction;
use crate::storage::stored_login::StoredLogin;
use crate::verification::Verification;
use etcd_client::KeyValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record whose content is encrypted. The generation is inside, too.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealed {
    #[serde(flatten)]
    pub deed: HostAction,
    pub sealed: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Intended {
    #[serde(flatten)]
    pub deed: HostAction,
    pub intent: Intent,
}

pub struct Snapshot {
    pub revision: i64,
    prefix: String,
    pairs: Vec<KeyValue>,
}

impl Snapshot {
    pub fn new(prefix: &str, found: Found) -> Self {
        Self { revision: found.revision, prefix: prefix.to_owned(), pairs: found.pairs }
    }

    fn pair(&self, name: &str) -> Option<&KeyValue> {
        let is_it = |pair: &&KeyValue| {
            pair.key().strip_prefix(self.prefix.as_bytes()) == Some(name.as_bytes())
        };
        self.pairs.iter().find(is_it)
    }

    /// A record that cannot be understood (one of another version) counts as none.
    pub fn record<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(self.pair(name)?.value()).ok()
    }

    /// When `name` was last written; 0 where it is not there.
    pub fn modified(&self, name: &str) -> i64 {
        self.pair(name).map_or(0, KeyValue::mod_revision)
    }

    /// When `name` was created; 0 where it is not there.
    pub fn created(&self, name: &str) -> i64 {
        self.pair(name).map_or(0, KeyValue::create_revision)
    }

    /// The lease that `name` is bound to; 0 where there is none.
    pub fn lease(&self, name: &str) -> i64 {
        self.pair(name).map_or(0, KeyValue::lease)
    }

    pub fn generation(&self) -> u64 {
        self.record::<Sealed>("access").map_or(0, |sealed| sealed.deed.generation)
    }

    /// The login, as far as this host may see it.
    pub fn document(&self, settings: &Settings) -> Result<Option<StoredLogin>> {
        let name = match settings.role {
            Role::Writer => "login",
            Role::Reader => "access",
        };
        if self.pair(name).is_none() {
            return Ok(None);
        }
        let damaged = || {
            let what = format!("{}{name} in etcd cannot be understood", self.prefix);
            Error::new(Kind::Storage, what).sign_in_again()
        };
        let record: Sealed = self.record(name).ok_or_else(damaged)?;
        let opened = encryption::open(&record.sealed, settings)?;
        serde_json::from_slice(&opened).map(Some).map_err(|_| damaged())
    }

    /// The device login that is pending: all of it for those who may take it up, else what a person needs.
    pub fn pending(&self, settings: &Settings) -> Result<Option<Value>> {
        let name = match settings.role {
            Role::Writer => "pending",
            Role::Reader => "prompt",
        };
        let Some(record) = self.record::<Sealed>(name) else { return Ok(None) };
        let opened = encryption::open(&record.sealed, settings)?;
        Ok(serde_json::from_slice(&opened).ok())
    }

    pub fn prompt(&self, settings: &Settings) -> Result<Option<Verification>> {
        let pending = self.pending(settings)?;
        Ok(pending.and_then(|pending| serde_json::from_value(pending).ok()))
    }

    /// Who has renewed the login, the latest first.
    pub fn hosts(&self) -> Vec<HostAction> {
        let below = format!("{}hosts/", self.prefix);
        let is_host = |pair: &&KeyValue| pair.key().starts_with(below.as_bytes());
        let hosts = self.pairs.iter().filter(is_host);
        let mut hosts: Vec<HostAction> =
            hosts.filter_map(|pair| serde_json::from_slice(pair.value()).ok()).collect();
        hosts.sort_by_key(|deed| std::cmp::Reverse(deed.at));
        hosts
    }
}
