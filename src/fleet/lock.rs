//! The lock under which one host changes the login. Each change is a transaction that compares the lease of the lock and
//! the revision of the login, so that a host that was paused and has lost the lock writes nothing.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lease::Lease;
use crate::fleet::snapshot::Snapshot;
use crate::storage::shared::HostAction;
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

/// How long to wait, after its lease has ended, for a host that may have the answer to a refresh request.
const RETURN_GRACE: Duration = Duration::from_secs(3);
/// How long one transaction may take.
const TRANSACTION: Duration = Duration::from_secs(3);
/// The pause before a change is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// A login that this host may change. The lock itself is taken with the first change.
pub struct EtcdHold<'a> {
    pub etcd: &'a EtcdStorage,
    lock: RefCell<Option<Lease<'a>>>,
    /// The refresh request of another host that had no known answer when this hold began.
    pub unanswered: Option<HostAction>,
}

pub enum Plan {
    Write(Vec<TxnOp>),
    /// Nothing to write. True if the change has been made already.
    Finished(bool),
}

impl<'a> EtcdHold<'a> {
    /// Waits until no other host holds the lock, or until the login has changed.
    ///
    /// # Errors
    /// `Busy` when another host holds the lock until `deadline`; `Usage` on a host that only reads.
    pub fn new(etcd: &'a EtcdStorage, deadline: &Deadline) -> Result<Self> {
        etcd.check_writer()?;
        let this_host = etcd.host()?;
        let mut snapshot = etcd.snapshot()?;
        let before = snapshot.modified("login");
        // Runs while the lock is free and another host may return with an answer.
        let mut grace: Option<Deadline> = None;
        loop {
            let intent = snapshot.record::<HostAction>("intent");
            let unanswered = intent.filter(|intent| intent.host != this_host);
            let is_locked = snapshot.has("lock");
            if is_locked {
                grace = None;
            }
            let may_begin = !is_locked
                && (unanswered.is_none()
                    || grace.get_or_insert_with(|| Deadline::after(RETURN_GRACE)).is_over());
            if may_begin || snapshot.modified("login") != before {
                return Ok(Self { etcd, lock: RefCell::new(None), unanswered });
            }
            if deadline.is_over() {
                return Err(busy(&snapshot));
            }
            etcd.wait(&snapshot, grace.as_ref().unwrap_or(deadline))?;
            snapshot = etcd.snapshot()?;
        }
    }

    /// Returns whether this hold has the lock in `snapshot`. Drops a lock that was lost.
    pub fn has_lock(&self, snapshot: &Snapshot) -> bool {
        let mut lock = self.lock.borrow_mut();
        *lock = lock.take().filter(|lease| lease.has("lock", snapshot));
        lock.is_some()
    }

    /// Makes the change that `plan` returns for the current snapshot. Tries again until `deadline` while etcd does not
    /// answer or another host changes the login. Returns whether the change is made.
    pub fn change(
        &self,
        deadline: &Deadline,
        plan: impl Fn(&Snapshot) -> Result<Plan>,
    ) -> Result<bool> {
        loop {
            match self.try_change(deadline, &plan) {
                Ok(Some(is_made)) => return Ok(is_made),
                Ok(None) => {}
                Err(error) if error.kind == Kind::Network && !deadline.is_over() => {
                    thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns `None` when the change has to be tried again.
    fn try_change(
        &self,
        deadline: &Deadline,
        plan: &impl Fn(&Snapshot) -> Result<Plan>,
    ) -> Result<Option<bool>> {
        let snapshot = self.etcd.snapshot()?;
        let ops = match plan(&snapshot)? {
            Plan::Write(ops) => ops,
            Plan::Finished(is_made) => return Ok(Some(is_made)),
        };
        if self.has_lock(&snapshot) {
            return self.write(&snapshot, ops);
        }
        if !snapshot.has("lock") {
            let lease = Lease::lock(self.etcd, "lock", &snapshot, deadline)?;
            *self.lock.borrow_mut() = Some(lease);
        } else if deadline.is_over() {
            return Err(busy(&snapshot));
        } else {
            self.etcd.wait(&snapshot, deadline)?;
        }
        Ok(None)
    }

    fn write(&self, snapshot: &Snapshot, ops: Vec<TxnOp>) -> Result<Option<bool>> {
        let lock = self.lock.borrow();
        let Some(lease) = &*lock else { return Ok(None) };
        let (key, modified) = (self.etcd.key("login"), snapshot.modified("login"));
        let is_unchanged = Compare::mod_revision(key, CompareOp::Equal, modified);
        let txn = Txn::new().when([lease.still_has("lock"), is_unchanged]).and_then(ops);
        let is_made = self.etcd.client.commit(&txn, &Deadline::after(TRANSACTION))?;
        Ok(is_made.then_some(true))
    }
}

/// Returns the error that names the host with the lock.
fn busy(snapshot: &Snapshot) -> Error {
    let holder = snapshot.record::<HostAction>("lock").map(|action| action.host.name);
    let holder = holder.unwrap_or_else(|| "another host".into());
    Error::new(Kind::Busy, format!("{holder} is changing the login in etcd"))
        .run("to see when it is done", "codex-credential fleet status")
}
