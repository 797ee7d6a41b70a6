//! `Storage` and `SharedStorage` for a login in etcd.

use crate::clock::{self, Deadline};
use crate::device_authorization::DeviceAuthorization;
use crate::error::{Error, Kind, Result};
use crate::fleet::checks;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lock::EtcdHold;
use crate::fleet::settings::Role;
use crate::fleet::sign_in;
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::login::Login;
use crate::storage::journal::Request;
use crate::storage::location::Location;
use crate::storage::login_dir::LoginDir;
use crate::storage::shared::{FleetStatus, SharedStorage, SignInLock};
use crate::storage::stored_login::StoredLogin;
use crate::storage::{HeldLogin, Storage};
use crate::verification::Verification;
use etcd_client::Txn;
use std::path::PathBuf;
use std::time::Duration;

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(3);

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
    fn target(&self, _request: Request) -> Result<Option<Location>> {
        Ok(None)
    }

    fn load(&self) -> Result<Option<Login>> {
        Ok(self.sync()?.login()?.map(StoredLogin::login))
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
    fn catch_up(&self) -> Result<()> {
        self.load().map(drop)
    }

    fn read_only_error(&self) -> Result<Option<Error>> {
        if self.local.settings.role == Role::Writer {
            return Ok(None);
        }
        let snapshot = self.sync()?;
        let verification = snapshot.pending()?.map(|pending| pending.verification);
        Ok(Some(match verification.filter(|it| it.expires_at > clock::now()) {
            Some(verification) => login_pending(verification),
            None => not_renewed(&snapshot),
        }))
    }

    fn lock_sign_in(
        &self,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Box<dyn SignInLock + '_>>> {
        let lock = sign_in::SignInLock::acquire(self, is_needed)?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn SignInLock>))
    }

    fn publish_pending(&self, pending: &DeviceAuthorization) -> Result<()> {
        let action = self.action(0)?;
        // Readers get nothing that a sign-in could be finished with.
        let shown =
            DeviceAuthorization { device_code: "".into(), approval: None, ..pending.clone() };
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

    fn checks(&self) -> Vec<(&'static str, Result<String>)> {
        checks::run(self)
    }

    fn status(&self) -> Result<Option<FleetStatus>> {
        let snapshot = self.sync()?;
        Ok(Some(FleetStatus {
            last: snapshot.record::<Sealed>("access").map(|sealed| sealed.action),
            lock: snapshot.record("lock"),
            intent: snapshot.record("intent"),
            hosts: snapshot.hosts(),
            pending: snapshot.pending()?.map(|pending| pending.verification),
        }))
    }
}

fn login_pending(verification: Verification) -> Error {
    let (uri, code) = (&verification.verification_uri, &verification.user_code);
    let what = format!("sign in at {uri} with the code {code}");
    Error::new(Kind::LoginPending, what).verification(verification)
}

fn not_renewed(snapshot: &Snapshot) -> Error {
    let hosts = snapshot.hosts().into_iter().take(3);
    let names: Vec<String> = hosts.map(|action| action.host.name).collect();
    let hosts =
        if names.is_empty() { "a host with role = \"writer\"".into() } else { names.join(" or ") };
    let what = format!(
        "this host only reads the login (role = \"reader\"), and {hosts} has not renewed the login"
    );
    Error::new(Kind::Busy, what)
        .hint(format!("on {hosts}, run: codex-credential renew (or codex-credential login)"))
}
