//! The storage itself: reads the login, and keeps a copy of the access token here, so that a warm `get` asks nobody.

use super::hold::Held;
use super::settings::{Role, Settings};
use super::snapshot::{Intended, Sealed, Snapshot};
use super::turn;
use super::wire::Wire;
use super::{Deed, Fleet, Host, sealed};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Prompt, Result};
use crate::folders::Folders;
use crate::login::Login;
use crate::storage::document::Document;
use crate::storage::journal::{self, Left};
use crate::storage::place::{Place, create_private};
use crate::storage::record::Record;
use crate::storage::replace;
use crate::storage::{Hold, Storage, Turn};
use crate::tokens::Fingerprint;
use etcd_client::TxnOp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For reading, at most.
const PATIENCE: Duration = Duration::from_secs(15);

/// The copy of the access token.
#[derive(Serialize, Deserialize)]
struct Copy {
    /// When the record was written that it is of.
    revision: i64,
    login: Document,
}

#[derive(Debug)]
pub struct Etcd {
    pub settings: Settings,
    /// Begins the names of this login's keys.
    pub prefix: String,
    pub wire: Wire,
    pub place: Place,
    copy: PathBuf,
    is_cached: bool,
    patience: Duration,
    host: OnceCell<Host>,
}

impl Etcd {
    /// `granted_by` names issuer, client, scope and all else that makes one login another; the first names the
    /// issuer's host. `patience` is how long an answer is waited for.
    pub fn new(
        settings: Settings,
        folders: &Folders,
        granted_by: &[&str],
        is_cached: bool,
        patience: Duration,
    ) -> Self {
        let name = crate::storage::private::name_of(granted_by);
        let prefix = format!("{}/{name}/", settings.prefix.trim_end_matches('/'));
        let meant =
            Fingerprint::of(format!("{}\0{prefix}", settings.endpoints.join("\0")).as_bytes());
        let folder = Path::new("fleets").join(format!("{name}-{}", meant.prefix(16)));
        // In memory where the system has a folder for that: the copy need not outlive a restart.
        let copies = folders.runtime.as_ref().unwrap_or(&folders.state);
        Self {
            wire: Wire::new(settings.clone()),
            prefix,
            place: Place::new(folders.state.join(&folder)),
            copy: copies.join(&folder).join("access"),
            is_cached,
            // Less than the caller's, so that it hears which endpoint did not answer.
            patience: (patience * 3 / 4).min(PATIENCE),
            host: OnceCell::new(),
            settings,
        }
    }

    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_by(&Deadline::after(self.patience))
    }

    pub fn snapshot_by(&self, deadline: &Deadline) -> Result<Snapshot> {
        let found = self.wire.range(&self.prefix, deadline)?;
        Ok(Snapshot::new(&self.prefix, found))
    }

    /// # Errors
    /// `Usage` for a host that only reads.
    pub fn check_writes(&self) -> Result<()> {
        match self.settings.role {
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
        self.place.create()?;
        let record: Record<Host> = Record::new(self.place.dir().join("host"));
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
            let recipients = self.settings.recipients.iter().chain(readers);
            Ok(Sealed { deed: deed.clone(), sealed: sealed::seal(&bytes, recipients)? })
        };
        let login = seal(&document, &[])?;
        let access = seal(&document.without_long_lived(), &self.settings.readers)?;
        Ok([self.put("login", &login), self.put("access", &access)])
    }

    /// See [`crate::storage::Opened::glance`].
    pub fn glance(&self) -> Result<Option<(Login, Place)>> {
        Ok(self
            .read_copy()
            .filter(|_| self.is_cached)
            .map(|copy| (copy.login.login(), self.place.clone())))
    }

    fn read_copy(&self) -> Option<Copy> {
        let bytes = crate::storage::read::read(&self.copy).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    fn copy_record(&self) -> Record<Copy> {
        Record::new(self.copy.clone())
    }

    /// Brings what lies on this machine up to `snapshot`.
    pub fn mirror(&self, snapshot: &Snapshot) -> Result<()> {
        self.place.create()?;
        let dead = self.place.dead::<Value>();
        if let Some(known) = snapshot.record::<Value>("dead")
            && dead.load()?.as_ref() != Some(&known)
        {
            dead.save(&known)?;
        }
        self.mirror_pending(snapshot)?;
        let document = snapshot.document(&self.settings)?;
        let (revision, before) = (snapshot.modified("access"), self.read_copy());
        if before.as_ref().map(|copy| copy.revision) == Some(revision) {
            return Ok(());
        }
        let Some(document) = document else { return self.copy_record().remove() };
        let signed_in_at = document.signed_in_at();
        if self.is_cached {
            create_private(self.copy.parent().unwrap_or(Path::new(".")))?;
            let login = document.without_long_lived();
            self.copy_record().save(&Copy { revision, login })?;
        }
        // Somebody has signed in on another host: those who wait for that here hear of it.
        if before.is_none_or(|before| before.login.signed_in_at() != signed_in_at) {
            self.place.signed_in().save(&signed_in_at.to_string())?;
        }
        // The waiters here sleep on this folder, whatever is cached.
        Record::new(self.place.dir().join("revision")).save(&revision)
    }

    fn mirror_pending(&self, snapshot: &Snapshot) -> Result<()> {
        let (mirrored, here) = (self.mirrored(), self.place.pending::<Value>());
        match snapshot.pending(&self.settings)? {
            Some(pending) if here.load()?.as_ref() != Some(&pending) => {
                here.save(&pending)?;
                mirrored.save(&true)?;
            }
            None if mirrored.load()? == Some(true) => {
                here.remove()?;
                mirrored.remove()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether `pending` is of another host, or was published by this one.
    pub fn mirrored(&self) -> Record<bool> {
        Record::new(self.place.dir().join("pending-is-shared"))
    }
}

impl Storage for Etcd {
    fn place(&self) -> Result<Place> {
        Ok(self.place.clone())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.place.dir().to_owned()]
    }

    fn load(&self) -> Result<Option<Login>> {
        let snapshot = self.snapshot()?;
        self.mirror(&snapshot)?;
        Ok(snapshot.document(&self.settings)?.map(Document::login))
    }

    fn describe(&self) -> Result<String> {
        Ok(format!("etcd at {} ({})", self.settings.endpoints.join(", "), self.prefix))
    }

    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn Hold + '_>> {
        Ok(Box::new(Held::new(self, deadline)?))
    }

    fn holder(&self) -> Option<String> {
        let endpoints = self.settings.endpoints.join(", ");
        Some(format!("etcd at {endpoints}, or a host that renews the login, has not answered yet"))
    }

    fn sweep(&self) {
        replace::sweep(self.place.dir());
    }

    fn left(&self) -> Result<Option<Left>> {
        journal::left(&self.place.journal(), || Ok(None))
    }

    fn cannot_renew(&self) -> Result<Option<Error>> {
        if self.settings.role == Role::Writer {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        self.mirror(&snapshot)?;
        let who = renewers(&snapshot);
        let what = format!(
            "this host only reads the login (role = \"reader\"), and {who} has not renewed it"
        );
        Ok(Some(match snapshot.prompt(&self.settings)? {
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

    fn fleet(&self) -> Result<Option<Fleet>> {
        let snapshot = self.snapshot()?;
        self.mirror(&snapshot)?;
        Ok(Some(Fleet {
            last: snapshot.record::<Sealed>("access").map(|sealed| sealed.deed),
            lock: snapshot.record("lock"),
            intent: snapshot.record::<Intended>("intent").map(|intended| intended.deed),
            hosts: snapshot.hosts(),
            pending: snapshot.prompt(&self.settings)?,
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
