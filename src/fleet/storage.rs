//! A login in etcd, as the rest of the program uses it.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::client::{EtcdClient, NO_MAJORITY};
use crate::fleet::encryption;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::hold::EtcdHold;
use crate::fleet::local::LocalFiles;
use crate::fleet::sign_in;
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::login::Login;
use crate::pending_sign_in::PendingSignIn;
use crate::storage::etcd_settings::{Role, Settings};
use crate::storage::journal::RequestKind;
use crate::storage::location::Location;
use crate::storage::login_dir::LoginDir;
use crate::storage::shared::{FleetStatus, SharedStorage, SignInLock};
use crate::storage::{CachedLogin, HeldLogin, Storage};
use crate::values::EndpointUrl;
use crate::verification::Verification;
use etcd_client::Txn;
use std::cell::OnceCell;
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a read of a renewal process may take. Long enough for an election.
const SHORT_READ: Duration = Duration::from_secs(3);
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects to etcd only when the files on this host are not enough.
#[derive(Debug)]
pub struct LazyEtcd {
    local: Rc<LocalFiles>,
    /// A trait object, so that a program that only calls `read_cached` links no etcd client.
    storage: OnceCell<Box<dyn Storage>>,
}

impl LazyEtcd {
    pub fn new(local: LocalFiles) -> Self {
        Self { local: Rc::new(local), storage: OnceCell::new() }
    }

    /// Returns the login in the files on this host. Takes no lock and opens no connection.
    pub fn read_cached(&self) -> Option<CachedLogin> {
        self.local.read_cached()
    }
}

impl Deref for LazyEtcd {
    type Target = dyn Storage;

    fn deref(&self) -> &Self::Target {
        &**self.storage.get_or_init(|| Box::new(EtcdStorage::new(Rc::clone(&self.local))))
    }
}

impl Storage for EtcdStorage {
    fn login_dir(&self) -> Result<Option<LoginDir>> {
        Ok(Some(self.local.login_dir.clone()))
    }

    fn sign_in_dir(&self) -> LoginDir {
        self.local.sign_in_dir()
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.local.login_dir.dir().to_owned()]
    }

    /// The journal on this host is enough until the commit.
    fn write_location(&self, _request: RequestKind) -> Result<Option<Location>> {
        Ok(None)
    }

    fn load(&self) -> Result<Option<Login>> {
        self.sync()?.login()
    }

    fn describe(&self) -> Result<String> {
        Ok(format!("etcd at {} ({})", self.local.settings.endpoints.join(", "), self.local.prefix))
    }

    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        Ok(Box::new(EtcdHold::new(self, deadline)?))
    }

    fn holder(&self) -> Option<String> {
        let endpoints = self.local.settings.endpoints.join(", ");
        Some(format!("etcd at {endpoints}, or the host that renews the login, has not answered"))
    }

    fn shared(&self) -> &dyn SharedStorage {
        self
    }
}

impl SharedStorage for EtcdStorage {
    fn catch_up(&self) -> Result<Option<Error>> {
        let snapshot = self.snapshot()?;
        let unreadable = snapshot.login().err();
        match snapshot.write_files() {
            Err(error) if unreadable.is_none() => Err(error),
            _ => Ok(unreadable),
        }
    }

    fn read_only_error(&self) -> Result<Option<Error>> {
        if self.local.settings.role == Role::Writer {
            return Ok(None);
        }
        let snapshot = self.sync()?;
        let verification = snapshot.pending().map(|pending| pending.verification);
        Ok(Some(match verification.filter(|it| it.expires_at > clock::now()) {
            Some(verification) => login_pending(verification),
            None => not_renewed(&snapshot),
        }))
    }

    fn fail_soon(&self) {
        self.local.read_timeout.set(SHORT_READ);
    }

    fn did_not_answer(&self, error: &Error) -> bool {
        error.kind == Kind::Network && error.hint.as_deref() == Some(NO_MAJORITY)
    }

    fn wait_for_answer(&self, deadline: &Deadline) -> Result<()> {
        self.client.range(&self.local.prefix, deadline).map(drop)
    }

    fn wait_for_writer(&self, deadline: &Deadline) -> Result<()> {
        let mut snapshot = self.sync()?;
        let before = snapshot.modified("access");
        while snapshot.has("lock") && snapshot.modified("access") == before && !deadline.is_over() {
            self.wait(&snapshot, deadline)?;
            snapshot = self.sync()?;
        }
        Ok(())
    }

    fn lock_sign_in(
        &self,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Box<dyn SignInLock + '_>>> {
        let lock = sign_in::SignInLock::acquire(self, is_needed)?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn SignInLock>))
    }

    fn publish_pending(&self, pending: &PendingSignIn) -> Result<()> {
        let action = self.action()?;
        // Readers get nothing that a sign-in could be finished with.
        let shown = PendingSignIn { request: None, approval: None, ..pending.clone() };
        let ops = [
            self.put_sealed("pending", pending, false, &action)?,
            self.put_sealed("prompt", &shown, true, &action)?,
        ];
        let deadline = Deadline::after(PUBLISH_TIMEOUT);
        self.client.commit(&Txn::new().and_then(ops), &deadline).map(drop)
    }

    fn withdraw_pending(&self) -> Result<()> {
        if self.local.settings.role == Role::Reader {
            return Ok(());
        }
        let ops = ["pending", "prompt"].map(|name| self.delete(name));
        let deadline = Deadline::after(WITHDRAW_TIMEOUT);
        self.client.commit(&Txn::new().and_then(ops), &deadline).map(drop)
    }

    fn checks(&self, deadline: &Deadline) -> Vec<(&'static str, Result<String>)> {
        let endpoints = self.local.settings.endpoints.iter();
        let checks = endpoints.map(|url| ("endpoint", check_endpoint(self, url, deadline)));
        checks.chain([("role", check_role(self))]).collect()
    }

    fn status(&self) -> Result<Option<FleetStatus>> {
        let snapshot = self.sync()?;
        Ok(Some(FleetStatus {
            generation: snapshot.generation(),
            last: snapshot.last(),
            lock: snapshot.record("lock"),
            intent: snapshot.record("intent"),
            pending: snapshot.pending().map(|pending| pending.verification),
        }))
    }
}

/// Reads from one endpoint only. The read needs a majority, so it also shows that the node reaches the others.
fn check_endpoint(etcd: &EtcdStorage, url: &EndpointUrl, deadline: &Deadline) -> Result<String> {
    let settings = &etcd.local.settings;
    let alone = Settings { endpoints: vec![url.clone()], ..settings.clone() };
    EtcdClient::new(alone).range(&etcd.local.prefix, &deadline.within(ENDPOINT_TIMEOUT))?;
    let security = match (url.starts_with("https://"), &settings.certificate_file) {
        (true, Some(_)) => "over TLS with a client certificate",
        (true, None) => "over TLS",
        (false, _) => "without TLS",
    };
    Ok(format!("{url} answers {security} and reaches a majority"))
}

/// Checks what the identity can decrypt: `role = "reader"` in the configuration protects nothing by itself.
fn check_role(etcd: &EtcdStorage) -> Result<String> {
    let settings = &etcd.local.settings;
    encryption::identities(&settings.identity_file)?;
    if settings.role == Role::Writer {
        let lease = clock::seconds(settings.lease);
        return Ok(format!("writer: renews the login under a lease of {lease} s"));
    }
    let login = etcd.snapshot().ok().and_then(|snapshot| snapshot.record::<Sealed>("login"));
    if login.is_some_and(|login| encryption::open(&login.sealed, settings).is_ok()) {
        let what = "this host is a reader, but its identity decrypts the refresh token";
        return Err(Error::new(Kind::Configuration, what)
            .hint("give the readers an identity of their own; see docs/fleet.md"));
    }
    Ok("reader: reads the access token and does not renew".into())
}

fn login_pending(verification: Verification) -> Error {
    Error::new(Kind::LoginPending, verification.instruction()).verification(verification)
}

fn not_renewed(snapshot: &Snapshot) -> Error {
    let writer = snapshot.last().map(|action| action.host.name);
    let writer = writer.unwrap_or_else(|| "a host with role = \"writer\"".into());
    let what = format!(
        "this host only reads the login (role = \"reader\"), and {writer} has not renewed the login"
    );
    Error::new(Kind::Busy, what).run(&format!("on {writer}"), "codex-credential renew")
}
