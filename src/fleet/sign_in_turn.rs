//! One host asks a person at a time; the others show what it asks, and take it up when that host is gone.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::encryption;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lease::Lease;
use crate::fleet::settings::Role;
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::storage::records::Record;
use crate::verification::Verification;
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use serde_json::Value;
use std::time::Duration;

/// Longer than a device code lives.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Kept by whoever asks; what it has published ends with it.
pub struct SignInTurn<'a> {
    etcd: &'a EtcdStorage,
    _lease: Lease,
    watcher: tokio::task::JoinHandle<()>,
}

impl<'a> SignInTurn<'a> {
    /// `None` when nobody has to be asked any more.
    ///
    /// # Errors
    /// `LoginCancelled` when the sign-in of another host ended without a login.
    pub fn take(
        etcd: &'a EtcdStorage,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Self>> {
        etcd.check_writes()?;
        let deadline = Deadline::after(PATIENCE);
        let mut was_pending = false;
        loop {
            let snapshot = etcd.snapshot()?;
            etcd.local.mirror(&snapshot)?;
            if !is_needed()? {
                return Ok(None);
            }
            let is_free = snapshot.created("sign-in") == 0;
            let is_pending = snapshot.created("pending") != 0;
            if is_free && was_pending && !is_pending {
                return Err(ended());
            }
            if is_free && let Some(turn) = Self::try_take(etcd, &snapshot)? {
                return Ok(Some(turn));
            }
            was_pending |= is_pending;
            if deadline.is_over() {
                return Err(ended());
            }
            etcd.wire.wait(&etcd.local.prefix, snapshot.revision, &deadline)?;
        }
    }

    fn try_take(etcd: &'a EtcdStorage, snapshot: &Snapshot) -> Result<Option<Self>> {
        let deadline = Deadline::after(Duration::from_secs(5));
        let lease = Lease::tokens(&etcd.wire, etcd.local.settings.lease, &deadline)?;
        let key = etcd.key("sign-in");
        let deed = serde_json::to_vec(&etcd.deed(snapshot.generation())?).expect("it serializes");
        let bound = PutOptions::new().with_lease(lease.id);
        let txn = Txn::new()
            .when([Compare::create_revision(key.clone(), CompareOp::Equal, 0)])
            .and_then([TxnOp::put(key, deed, Some(bound))]);
        if etcd.wire.commit(&txn, &deadline)?.is_none() {
            return Ok(None);
        }
        let watcher = cancelled_elsewhere(etcd)?;
        Ok(Some(Self { etcd, _lease: lease, watcher }))
    }
}

impl crate::storage::shared::SignInLock for SignInTurn<'_> {}

impl Drop for SignInTurn<'_> {
    fn drop(&mut self) {
        self.watcher.abort();
        let _ = withdraw(self.etcd);
    }
}

/// Whoever cancels removes the record in etcd: here the file goes, too, and whoever polls sees that.
fn cancelled_elsewhere(etcd: &EtcdStorage) -> Result<tokio::task::JoinHandle<()>> {
    let (endpoints, key) = (etcd.wire.endpoints(), etcd.key("pending"));
    let here: Record<Value> = etcd.local.login_dir.pending();
    Ok(etcd.wire.runtime()?.spawn(async move {
        loop {
            let deadline = Deadline::after(PATIENCE);
            let watched = endpoints.call("watch", &deadline, |client| {
                let key = key.clone();
                async move { client.watch_client().watch(key, None).await }
            });
            let Ok(mut stream) = watched.await else { return };
            while let Ok(Some(message)) = stream.message().await {
                let is_gone = |event: &etcd_client::Event| {
                    event.event_type() == etcd_client::EventType::Delete
                };
                if message.events().iter().any(is_gone) {
                    let _ = here.remove();
                }
            }
        }
    }))
}

/// Shows a device login on all hosts, before it is shown on this one.
pub fn publish(etcd: &EtcdStorage, pending: &Value, verification: &Verification) -> Result<()> {
    let deed = etcd.deed(0)?;
    let seal = |value: &Value, readers: &[String]| -> Result<Sealed> {
        let recipients = etcd.local.settings.recipients.iter().chain(readers);
        let bytes = zeroize::Zeroizing::new(value.to_string());
        Ok(Sealed { deed: deed.clone(), sealed: encryption::seal(bytes.as_bytes(), recipients)? })
    };
    // What readers get is in the same form, without the device code and what the approval brought.
    let mut shown = pending.clone();
    for (name, value) in serde_json::json!(verification).as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    for name in ["device_code", "approval"] {
        shown[name] = if name == "approval" { Value::Null } else { "".into() };
    }
    let ops = [
        etcd.put("pending", &seal(pending, &[])?),
        etcd.put("prompt", &seal(&shown, &etcd.local.settings.readers)?),
    ];
    let deadline = Deadline::after(Duration::from_secs(10));
    etcd.wire.commit(&Txn::new().and_then(ops), &deadline)?;
    etcd.local.mirrored().save(&true)
}

/// Ends the device login that is pending, on all hosts.
pub fn withdraw(etcd: &EtcdStorage) -> Result<()> {
    if etcd.local.settings.role == Role::Reader {
        return Ok(());
    }
    let ops = ["pending", "prompt"].map(|name| etcd.delete(name));
    let deadline = Deadline::after(Duration::from_secs(3));
    etcd.wire.commit(&Txn::new().and_then(ops), &deadline).map(drop)
}

fn ended() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in on another host ended without a login")
        .run("to start again", "codex-credential login")
}
