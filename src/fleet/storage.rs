//! The storage itself, as it is asked of etcd.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::inspect;
use crate::fleet::lock::Held;
use crate::fleet::settings::Role;
use crate::fleet::sign_in_turn;
use crate::fleet::snapshot::{Intended, Sealed, Snapshot};
use crate::login::Login;
use crate::storage::files;
use crate::storage::journal::{self, Unfinished};
use crate::storage::login_dir::LoginDir;
use crate::storage::shared::{FleetStatus, SharedStorage, SignInLock};
use crate::storage::stored_login::StoredLogin;
use crate::storage::{HeldLogin, Storage};
use crate::verification::Verification;
use serde_json::Value;
use std::path::PathBuf;

use crate::fleet::etcd::EtcdStorage;

impl Storage for EtcdStorage {
    fn login_dir(&self) -> Result<LoginDir> {
        Ok(self.local.login_dir.clone())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.local.login_dir.dir().to_owned()]
    }

    fn load(&self) -> Result<Option<Login>> {
        let snapshot = self.snapshot()?;
        self.local.mirror(&snapshot)?;
        Ok(snapshot.document(&self.local.settings)?.map(StoredLogin::login))
    }

    fn describe(&self) -> Result<String> {
        Ok(format!("etcd at {} ({})", self.local.settings.endpoints.join(", "), self.local.prefix))
    }

    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        Ok(Box::new(Held::new(self, deadline)?))
    }

    fn holder(&self) -> Option<String> {
        let endpoints = self.local.settings.endpoints.join(", ");
        Some(format!("etcd at {endpoints}, or a host that renews the login, has not answered yet"))
    }

    fn sweep(&self) {
        files::sweep(self.local.login_dir.dir());
    }

    fn left(&self) -> Result<Option<Unfinished>> {
        journal::left(&self.local.login_dir.journal(), || Ok(None))
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
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
        let snapshot = self.snapshot()?;
        self.local.mirror(&snapshot)?;
        let who = renewers(&snapshot);
        let what = format!(
            "this host only reads the login (role = \"reader\"), and {who} has not renewed it"
        );
        Ok(Some(match snapshot.prompt(&self.local.settings)? {
            Some(verification) if verification.expires_at > clock::now() => Error::new(
                Kind::LoginPending,
                format!(
                    "sign in at {} with the code {}",
                    verification.verification_uri, verification.user_code
                ),
            )
            .verification(verification),
            _ => Error::new(Kind::Busy, what)
                .hint(format!("run codex-credential renew (or login) on {who}")),
        }))
    }

    fn lock_sign_in(
        &self,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Box<dyn SignInLock + '_>>> {
        Ok(sign_in_turn::SignInTurn::take(self, is_needed)?
            .map(|turn| Box::new(turn) as Box<dyn SignInLock>))
    }

    fn publish_pending(&self, pending: &Value, verification: &Verification) -> Result<()> {
        sign_in_turn::publish(self, pending, verification)
    }

    fn withdraw_pending(&self) -> Result<()> {
        sign_in_turn::withdraw(self)
    }

    fn checks(&self) -> Vec<(&'static str, Result<String>)> {
        inspect::inspect(self)
    }

    fn status(&self) -> Result<FleetStatus> {
        let snapshot = self.snapshot()?;
        self.local.mirror(&snapshot)?;
        Ok(FleetStatus {
            last: snapshot.record::<Sealed>("access").map(|sealed| sealed.deed),
            lock: snapshot.record("lock"),
            intent: snapshot.record::<Intended>("intent").map(|intended| intended.deed),
            hosts: snapshot.hosts(),
            pending: snapshot.prompt(&self.local.settings)?,
        })
    }
}

/// Who might renew the login, for a person.
fn renewers(snapshot: &Snapshot) -> String {
    let names = snapshot.hosts().into_iter().map(|deed| deed.host.name).take(3);
    let names: Vec<String> = names.collect();
    if names.is_empty() { "a host that may".into() } else { names.join(" or ") }
}
