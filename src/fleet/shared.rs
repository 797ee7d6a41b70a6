//! `SharedStorage` for a login in etcd: what the renewal and the commands need beyond `Storage`.

use crate::clock;
use crate::device_authorization::DeviceAuthorization;
use crate::error::{Error, Kind, Result};
use crate::fleet::checks;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::settings::Role;
use crate::fleet::sign_in;
use crate::fleet::snapshot::{HostIntent, Sealed, Snapshot};
use crate::storage::Storage;
use crate::storage::shared::{FleetStatus, SharedStorage, SignInLock};
use crate::verification::Verification;

impl SharedStorage for EtcdStorage {
    fn catch_up(&self) -> Result<()> {
        self.load().map(drop)
    }

    fn read_only_error(&self) -> Result<Option<Error>> {
        if self.local.settings.role == Role::Writer {
            return Ok(None);
        }
        let snapshot = self.sync()?;
        let verification = snapshot.verification(&self.local.settings)?;
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
        sign_in::publish(self, pending)
    }

    fn withdraw_pending(&self) -> Result<()> {
        sign_in::withdraw(self)
    }

    fn checks(&self) -> Vec<(&'static str, Result<String>)> {
        checks::run(self)
    }

    fn status(&self) -> Result<FleetStatus> {
        let snapshot = self.sync()?;
        Ok(FleetStatus {
            last: snapshot.record::<Sealed>("access").map(|sealed| sealed.action),
            lock: snapshot.record("lock"),
            intent: snapshot.record::<HostIntent>("intent").map(|intent| intent.action),
            hosts: snapshot.hosts(),
            pending: snapshot.verification(&self.local.settings)?,
        })
    }
}

fn login_pending(verification: Verification) -> Error {
    let (uri, code) = (&verification.verification_uri, &verification.user_code);
    let what = format!("sign in at {uri} with the code {code}");
    Error::new(Kind::LoginPending, what).verification(verification)
}

fn not_renewed(snapshot: &Snapshot) -> Error {
    let hosts = renewing_hosts(snapshot);
    let what = format!(
        "this host only reads the login (role = \"reader\"), and {hosts} has not renewed the login"
    );
    Error::new(Kind::Busy, what)
        .hint(format!("on {hosts}, run: codex-credential renew (or codex-credential login)"))
}

/// Returns the names of the hosts that renewed last.
fn renewing_hosts(snapshot: &Snapshot) -> String {
    let hosts = snapshot.hosts().into_iter().take(3);
    let names: Vec<String> = hosts.map(|action| action.host.name).collect();
    if names.is_empty() { "a host with role = \"writer\"".into() } else { names.join(" or ") }
}
