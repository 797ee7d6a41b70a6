//! The lock under which one host changes the login. Each change is a transaction that compares the lease of the lock and
//! the revision of the login, so that a host that was paused and has lost the lock writes nothing.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lease::Lease;
use crate::fleet::snapshot::{HostIntent, Snapshot};
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
    /// The lease of the lock. No other lock has the same.
    lock: RefCell<Option<Lease<'a>>>,
    /// The refresh request of another host that had no known answer when this hold began.
    pub unanswered: Option<HostIntent>,
}

/// What a change comes to.
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
            let intent = snapshot.record::<HostIntent>("intent");
            let unanswered = intent.filter(|intent| intent.action.host != this_host);
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

    /// Tries to take the lock. [`Self::has_lock`] says whether that worked.
    fn take_lock(&self, snapshot: &Snapshot, deadline: &Deadline) -> Result<()> {
        let etcd = self.etcd;
        let lease = Lease::grant(&etcd.client, etcd.local.settings.lease, deadline)?;
        let put = etcd.put_with_lease("lock", &etcd.action(snapshot.generation())?, lease.id);
        let is_free = Compare::create_revision(etcd.key("lock"), CompareOp::Equal, 0);
        let txn = Txn::new().when([is_free, self.login_is_unchanged(snapshot)]).and_then([put]);
        etcd.client.commit(&txn, deadline)?;
        *self.lock.borrow_mut() = Some(lease);
        Ok(())
    }

    fn login_is_unchanged(&self, snapshot: &Snapshot) -> Compare {
        let modified = snapshot.modified("login");
        Compare::mod_revision(self.etcd.key("login"), CompareOp::Equal, modified)
    }

    /// Returns whether this hold has the lock in `snapshot`. Drops a lock that was lost.
    pub fn has_lock(&self, snapshot: &Snapshot) -> bool {
        let mut lock = self.lock.borrow_mut();
        *lock = lock.take().filter(|lease| snapshot.lease("lock") == lease.id);
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
            self.take_lock(&snapshot, deadline)?;
        } else if deadline.is_over() {
            return Err(busy(&snapshot));
        } else {
            self.etcd.wait(&snapshot, deadline)?;
        }
        Ok(None)
    }

    fn write(&self, snapshot: &Snapshot, ops: Vec<TxnOp>) -> Result<Option<bool>> {
        let key = self.etcd.key("lock");
        let is_locked = Compare::lease(key, CompareOp::Equal, snapshot.lease("lock"));
        let conditions = [is_locked, self.login_is_unchanged(snapshot)];
        let txn = Txn::new().when(conditions).and_then(ops);
        let is_made = self.etcd.client.commit(&txn, &Deadline::after(TRANSACTION))?;
        Ok(is_made.then_some(true))
    }
}

/// Returns the error that names the host with the lock.
pub fn busy(snapshot: &Snapshot) -> Error {
    let holder = snapshot.record::<HostAction>("lock").map(|action| action.host.name);
    let holder = holder.unwrap_or_else(|| "another host".into());
    Error::new(Kind::Busy, format!("{holder} is changing the login in etcd"))
        .run("to see when it is done", "codex-credential fleet status")
}
