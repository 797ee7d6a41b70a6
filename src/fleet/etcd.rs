//! The storage itself, as it is asked of etcd.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::client::Wire;
use crate::fleet::encryption;
use crate::fleet::local::Local;
use crate::fleet::settings::Role;
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::storage::records::Record;
use crate::storage::shared::{Host, HostAction};
use crate::storage::stored_login::StoredLogin;
use crate::tokens::Fingerprint;
use etcd_client::TxnOp;
use serde::Serialize;
use std::cell::OnceCell;
use std::rc::Rc;

#[derive(Debug)]
pub struct EtcdStorage {
    pub local: Rc<Local>,
    pub wire: Wire,
    host: OnceCell<Host>,
}

impl EtcdStorage {
    pub fn new(local: Rc<Local>) -> Self {
        Self { wire: Wire::new(local.settings.clone()), local, host: OnceCell::new() }
    }

    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.local.prefix)
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_by(&Deadline::after(self.local.patience))
    }

    pub fn snapshot_by(&self, deadline: &Deadline) -> Result<Snapshot> {
        let found = self.wire.range(&self.local.prefix, deadline)?;
        Ok(Snapshot::new(&self.local.prefix, found))
    }

    /// # Errors
    /// `Usage` for a host that only reads.
    pub fn check_writes(&self) -> Result<()> {
        match self.local.settings.role {
            Role::Writer => Ok(()),
            Role::Reader => Err(Error::new(
                Kind::Usage,
                "this host only reads the login (role = \"reader\"); nothing was changed",
            )
            .hint(
                "do it on a host that renews the login; codex-credential fleet status lists them",
            )),
        }
    }

    /// This host, by a name of its own that outlives a restart.
    pub fn host(&self) -> Result<Host> {
        if let Some(host) = self.host.get() {
            return Ok(host.clone());
        }
        self.local.login_dir.create()?;
        let record: Record<Host> = Record::new(self.local.login_dir.dir().join("host"));
        let host = if let Some(host) = record.load()? {
            host
        } else {
            let seed = crate::storage::seal::Seal::new()?;
            let id = Fingerprint::of(seed.bytes()).prefix(16).to_owned();
            let host = Host { id, name: host_name() };
            record.save(&host)?;
            host
        };
        Ok(self.host.get_or_init(|| host).clone())
    }

    pub fn deed(&self, generation: u64) -> Result<HostAction> {
        Ok(HostAction { host: self.host()?, at: clock::now(), generation })
    }

    pub fn put(&self, name: &str, value: &impl Serialize) -> TxnOp {
        TxnOp::put(self.key(name), serde_json::to_vec(value).expect("records serialize"), None)
    }

    pub fn delete(&self, name: &str) -> TxnOp {
        TxnOp::delete(self.key(name), None)
    }

    /// Both records of a login.
    pub fn puts(&self, document: StoredLogin, deed: &HostAction) -> Result<[TxnOp; 2]> {
        let seal = |document: &StoredLogin, readers: &[String]| -> Result<Sealed> {
            let bytes = serde_json::to_vec(document).expect("documents serialize");
            let bytes = zeroize::Zeroizing::new(bytes);
            let recipients = self.local.settings.recipients.iter().chain(readers);
            Ok(Sealed { deed: deed.clone(), sealed: encryption::seal(&bytes, recipients)? })
        };
        let login = seal(&document, &[])?;
        let access = seal(&document.without_long_lived(), &self.local.settings.readers)?;
        Ok([self.put("login", &login), self.put("access", &access)])
    }
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    "a host".into()
}
