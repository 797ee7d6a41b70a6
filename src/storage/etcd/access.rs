//! The storage itself, as it is asked of etcd.

use super::local::Local;
use super::lock::Held;
use super::settings::Role;
use super::snapshot::{Intended, Sealed, Snapshot};
use super::turn;
use super::wire::Wire;
use super::{Deed, Fleet, Host, inspect, sealed};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Prompt, Result};
use crate::login::Login;
use crate::storage::document::Document;
use crate::storage::journal::{self, Left};
use crate::storage::place::Place;
use crate::storage::record::Record;
use crate::storage::replace;
use crate::storage::{Hold, Storage, Turn};
use crate::tokens::Fingerprint;
use etcd_client::TxnOp;
use serde::Serialize;
use serde_json::Value;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

#[derive(Debug)]
pub struct Access {
    pub local: Rc<Local>,
    pub wire: Wire,
    host: OnceCell<Host>,
}

impl Access {
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
        self.local.place.create()?;
        let record: Record<Host> = Record::new(self.local.place.dir().join("host"));
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

    pub fn deed(&self, generation: u64) -> Result<Deed> {
        Ok(Deed { host: self.host()?, at: clock::now(), generation })
    }

    pub fn put(&self, name: &str, value: &impl Serialize) -> TxnOp {
        TxnOp::put(self.key(name), serde_json::to_vec(value).expect("records serialize"), None)
    }

    pub fn delete(&self, name: &str) -> TxnOp {
        TxnOp::delete(self.key(name), None)
    }

    /// Both records of a login.
    pub fn puts(&self, document: Document, deed: &Deed) -> Result<[TxnOp; 2]> {
        let seal = |document: &Document, readers: &[String]| -> Result<Sealed> {
            let bytes = serde_json::to_vec(document).expect("documents serialize");
            let bytes = zeroize::Zeroizing::new(bytes);
            let recipients = self.local.settings.recipients.iter().chain(readers);
            Ok(Sealed { deed: deed.clone(), sealed: sealed::seal(&bytes, recipients)? })
        };
        let login = seal(&document, &[])?;
        let access = seal(&document.without_long_lived(), &self.local.settings.readers)?;
        Ok([self.put("login", &login), self.put("access", &access)])
    }
}

impl Storage for Access {
    fn place(&self) -> Result<Place> {
        Ok(self.local.place.clone())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.local.place.dir().to_owned()]
    }

    fn load(&self) -> Result<Option<Login>> {
        let snapshot = self.snapshot()?;
        self.local.mirror(&snapshot)?;
        Ok(snapshot.document(&self.local.settings)?.map(Document::login))
    }

    fn catch_up(&self) -> Result<()> {
        self.load().map(drop)
    }

    fn describe(&self) -> Result<String> {
        Ok(format!("etcd at {} ({})", self.local.settings.endpoints.join(", "), self.local.prefix))
    }

    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn Hold + '_>> {
        Ok(Box::new(Held::new(self, deadline)?))
    }

    fn holder(&self) -> Option<String> {
        let endpoints = self.local.settings.endpoints.join(", ");
        Some(format!("etcd at {endpoints}, or a host that renews the login, has not answered yet"))
    }

    fn sweep(&self) {
        replace::sweep(self.local.place.dir());
    }

    fn left(&self) -> Result<Option<Left>> {
        journal::left(&self.local.place.journal(), || Ok(None))
    }

    fn cannot_renew(&self) -> Result<Option<Error>> {
        if self.local.settings.role == Role::Writer {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        self.local.mirror(&snapshot)?;
        let who = renewers(&snapshot);
        let what = format!(
            "this host only reads the login (role = \"reader\"), and {who} has not renewed it"
        );
        Ok(Some(match snapshot.prompt(&self.local.settings)? {
            Some(prompt) if prompt.expires_at > clock::now() => Error::new(
                Kind::LoginPending,
                format!(
                    "sign in at {} with the code {}",
                    prompt.verification_uri, prompt.user_code
                ),
            )
            .prompt(prompt),
            _ => Error::new(Kind::Busy, what)
                .hint(format!("run codex-credential renew (or login) on {who}")),
        }))
    }

    fn turn(&self, is_needed: &dyn Fn() -> Result<bool>) -> Result<Option<Box<dyn Turn + '_>>> {
        Ok(turn::Turn::take(self, is_needed)?.map(|turn| Box::new(turn) as Box<dyn Turn>))
    }

    fn publish(&self, pending: &Value, prompt: &Prompt) -> Result<()> {
        turn::publish(self, pending, prompt)
    }

    fn withdraw(&self) -> Result<()> {
        turn::withdraw(self)
    }

    fn inspect(&self) -> Vec<(&'static str, Result<String>)> {
        inspect::inspect(self)
    }

    fn fleet(&self) -> Result<Option<Fleet>> {
        let snapshot = self.snapshot()?;
        self.local.mirror(&snapshot)?;
        Ok(Some(Fleet {
            last: snapshot.record::<Sealed>("access").map(|sealed| sealed.deed),
            lock: snapshot.record("lock"),
            intent: snapshot.record::<Intended>("intent").map(|intended| intended.deed),
            hosts: snapshot.hosts(),
            pending: snapshot.prompt(&self.local.settings)?,
        }))
    }
}

/// Who might renew the login, for a person.
fn renewers(snapshot: &Snapshot) -> String {
    let names = snapshot.hosts().into_iter().map(|deed| deed.host.name).take(3);
    let names: Vec<String> = names.collect();
    if names.is_empty() { "a host that may".into() } else { names.join(" or ") }
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    "a host".into()
}
