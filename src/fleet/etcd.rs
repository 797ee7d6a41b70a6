//! One login in etcd: its key names, how it is read, and the operations that write it.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::client::EtcdClient;
use crate::fleet::encryption;
use crate::fleet::host::this_host;
use crate::fleet::local::LocalFiles;
use crate::fleet::settings::Role;
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::storage::shared::{Host, HostAction};
use crate::storage::stored_login::StoredLogin;
use etcd_client::{PutOptions, TxnOp};
use serde::Serialize;
use std::cell::OnceCell;
use std::rc::Rc;
use zeroize::Zeroizing;

#[derive(Debug)]
pub struct EtcdStorage {
    pub local: Rc<LocalFiles>,
    pub client: EtcdClient,
    host: OnceCell<Host>,
}

impl EtcdStorage {
    pub fn new(local: Rc<LocalFiles>) -> Self {
        let client = EtcdClient::new(local.settings.clone());
        Self { local, client, host: OnceCell::new() }
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_by(&Deadline::after(self.local.read_timeout))
    }

    pub fn snapshot_by(&self, deadline: &Deadline) -> Result<Snapshot> {
        let range = self.client.range(&self.local.prefix, deadline)?;
        Ok(Snapshot::new(&self.local.prefix, range))
    }

    /// Takes a snapshot and updates the files on this host from it.
    pub fn sync(&self) -> Result<Snapshot> {
        let snapshot = self.snapshot()?;
        self.local.update(&snapshot)?;
        Ok(snapshot)
    }

    /// Waits until the login has changed since `snapshot`, or until the deadline. May return early.
    pub fn wait(&self, snapshot: &Snapshot, deadline: &Deadline) -> Result<()> {
        self.client.wait(&self.local.prefix, snapshot.revision, deadline)
    }

    /// # Errors
    /// `Usage` on a host that only reads.
    pub fn check_writer(&self) -> Result<()> {
        match self.local.settings.role {
            Role::Writer => Ok(()),
            Role::Reader => Err(Error::new(
                Kind::Usage,
                "this host only reads the login (role = \"reader\"); nothing was changed",
            )
            .hint(
                "run it on a host that renews; to list them, run: codex-credential fleet status",
            )),
        }
    }

    pub fn host(&self) -> Result<Host> {
        if let Some(host) = self.host.get() {
            return Ok(host.clone());
        }
        let host = this_host(&self.local.login_dir)?;
        Ok(self.host.get_or_init(|| host).clone())
    }

    /// Returns the record of something that this host does at this moment.
    pub fn action(&self, generation: u64) -> Result<HostAction> {
        Ok(HostAction { host: self.host()?, at: clock::now(), generation })
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

    /// Returns the operations that write the login: all of it for the writers, the access token for the readers.
    pub fn put_login(&self, login: StoredLogin, action: &HostAction) -> Result<[TxnOp; 2]> {
        let whole = self.seal(&login, &[], action)?;
        let access =
            self.seal(&login.without_long_lived(), &self.local.settings.readers, action)?;
        Ok([self.put("login", &whole), self.put("access", &access)])
    }

    /// Encrypts `value` for the writers and for `readers`.
    pub fn seal(
        &self,
        value: &impl Serialize,
        readers: &[String],
        action: &HostAction,
    ) -> Result<Sealed> {
        let recipients = self.local.settings.recipients.iter().chain(readers);
        let message = Zeroizing::new(to_json(value));
        Ok(Sealed { action: action.clone(), sealed: encryption::seal(&message, recipients)? })
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("records serialize")
}
