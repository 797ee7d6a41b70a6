//! One login in etcd: its key names, how it is read, and the operations that write it.

use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::fleet::client::EtcdClient;
use crate::fleet::encryption;
use crate::fleet::local::LocalFiles;
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::storage::etcd_settings::Settings;
use crate::storage::records::Record;
use crate::storage::seal::Seal;
use crate::storage::shared::{Host, HostAction};
use crate::tokens::Fingerprint;
#[cfg(unix)]
use crate::visible::visible;
use etcd_client::{PutOptions, TxnOp};
use serde::Serialize;
use std::rc::Rc;
use zeroize::Zeroizing;

#[derive(Debug)]
pub struct EtcdStorage {
    pub local: Rc<LocalFiles>,
    pub client: EtcdClient,
}

impl EtcdStorage {
    pub fn new(local: Rc<LocalFiles>) -> Self {
        let client = EtcdClient::new(local.settings.clone());
        Self { local, client }
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        let deadline = Deadline::after(self.local.read_timeout.get());
        let range = self.client.range(&self.local.prefix, &deadline)?;
        Ok(Snapshot::new(Rc::clone(&self.local), range))
    }

    /// Takes a snapshot and updates the files on this host from it.
    pub fn sync(&self) -> Result<Snapshot> {
        let snapshot = self.snapshot()?;
        snapshot.write_files()?;
        Ok(snapshot)
    }

    /// Waits until the login has changed since `snapshot`, or until the deadline. May return early.
    pub fn wait(&self, snapshot: &Snapshot, deadline: &Deadline) -> Result<()> {
        self.client.wait(&self.local.prefix, snapshot.revision, deadline)
    }

    /// Returns the identity of this host. Creates it on first use and keeps it in the login directory.
    pub fn host(&self) -> Result<Host> {
        let login_dir = &self.local.login_dir;
        let record: Record<Host> = Record::new(login_dir.dir().join("host"));
        if let Some(host) = record.load()? {
            return Ok(host);
        }
        login_dir.create()?;
        let id = Fingerprint::of(Seal::new()?.bytes()).prefix(16).to_owned();
        let host = Host { id, name: host_name() };
        record.save(&host)?;
        Ok(host)
    }

    /// Returns the record of something that this host does at this moment.
    pub fn action(&self) -> Result<HostAction> {
        Ok(HostAction { host: self.host()?, at: clock::now() })
    }

    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.local.prefix)
    }

    pub fn put(&self, name: &str, value: &impl Serialize) -> TxnOp {
        TxnOp::put(self.key(name), to_json(value), None)
    }

    /// As [`Self::put`]; etcd deletes the key when the lease ends.
    pub fn put_with_lease(&self, name: &str, value: &impl Serialize, lease: i64) -> TxnOp {
        TxnOp::put(self.key(name), to_json(value), Some(PutOptions::new().with_lease(lease)))
    }

    pub fn delete(&self, name: &str) -> TxnOp {
        TxnOp::delete(self.key(name), None)
    }

    /// As [`Self::put`]; encrypts `value` for the writers, and also for the readers if they `may_read` it.
    pub fn put_sealed(
        &self,
        name: &str,
        value: &impl Serialize,
        may_read: bool,
        action: &HostAction,
    ) -> Result<TxnOp> {
        let Settings { recipients, readers, .. } = &self.local.settings;
        let readers = readers.iter().filter(|_| may_read);
        let message = Zeroizing::new(to_json(value));
        let sealed = encryption::seal(&message, recipients.iter().chain(readers))?;
        Ok(self.put(name, &Sealed { action: action.clone(), sealed }))
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("records serialize")
}

#[cfg(unix)]
fn host_name() -> String {
    visible(&rustix::system::uname().nodename().to_string_lossy())
}

#[cfg(not(unix))]
fn host_name() -> String {
    "a host".into()
}
