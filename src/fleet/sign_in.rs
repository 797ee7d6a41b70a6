//! A sign-in that all hosts share: one host runs it at a time, the other hosts show its user code and continue it when
//! that host is gone.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::encryption;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lease::Lease;
use crate::storage::shared::SharedStorage;
use etcd_client::EventType;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longer than the lifetime of a device code.
const LONGEST_SIGN_IN: Duration = Duration::from_secs(20 * 60);
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Held by the host that runs the sign-in. When it is dropped, the pending sign-in is withdrawn.
pub struct SignInLock<'a> {
    etcd: &'a EtcdStorage,
    _lease: Lease<'a>,
    watcher: JoinHandle<()>,
}

impl<'a> SignInLock<'a> {
    /// Waits for the lock. Returns `None` when `is_needed` says that a sign-in is not needed.
    ///
    /// # Errors
    /// `LoginCancelled` when the sign-in of another host ended without a login.
    pub fn acquire(
        etcd: &'a EtcdStorage,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Self>> {
        encryption::check_own(&etcd.local.settings)?;
        let deadline = Deadline::after(LONGEST_SIGN_IN);
        let mut was_pending = false;
        let mut lease: Option<Lease> = None;
        loop {
            let snapshot = etcd.snapshot()?;
            // The sign-in replaces a login that cannot be opened.
            if let Err(error) = snapshot.write_files()
                && snapshot.login().is_ok()
            {
                return Err(error);
            }
            if !is_needed()? {
                return Ok(None);
            }
            if let Some(lease) = lease.take_if(|lease| lease.has("sign-in", &snapshot)) {
                let watcher = watch_for_cancellation(etcd)?;
                return Ok(Some(Self { etcd, _lease: lease, watcher }));
            }
            let (is_free, is_pending) = (!snapshot.has("sign-in"), snapshot.has("pending"));
            if deadline.is_over() || (is_free && was_pending && !is_pending) {
                return Err(cancelled());
            }
            was_pending |= is_pending;
            if is_free {
                let deadline = Deadline::after(LOCK_TIMEOUT);
                lease = Some(Lease::lock(etcd, "sign-in", &deadline)?);
            } else {
                etcd.wait(&snapshot, &deadline)?;
            }
        }
    }
}

impl Drop for SignInLock<'_> {
    fn drop(&mut self) {
        self.watcher.abort();
        let _ = self.etcd.withdraw_pending();
    }
}

/// Removes the pending record of this host when another host withdraws the sign-in. The process that polls watches that
/// record.
fn watch_for_cancellation(etcd: &EtcdStorage) -> Result<JoinHandle<()>> {
    let (endpoints, key) = (etcd.client.endpoints(), etcd.key("pending"));
    let here = etcd.local.sign_in_dir().pending();
    Ok(etcd.client.runtime()?.spawn(async move {
        loop {
            let deadline = Deadline::after(LONGEST_SIGN_IN);
            let watched = endpoints.call("watch", &deadline, |client| {
                let key = key.clone();
                async move { client.watch_client().watch(key, None).await }
            });
            let Ok(mut stream) = watched.await else { return };
            while let Ok(Some(message)) = stream.message().await {
                if message.events().iter().any(|event| event.event_type() == EventType::Delete) {
                    let _ = here.remove();
                }
            }
        }
    }))
}

fn cancelled() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in on another host ended without a login")
        .run("to sign in", "codex-credential login")
}
