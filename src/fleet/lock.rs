//! The lock under which one host changes the login. Each change is a transaction that compares the revision of the lock
//! and of the login, so that a host that was paused and has lost the lock writes nothing.

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

struct Lock {
    lease: Lease,
    /// The revision at which the key was created. No other lock has the same.
    revision: i64,
}

/// A login that this host may change. The lock itself is taken with the first change.
pub struct EtcdHold<'a> {
    pub etcd: &'a EtcdStorage,
    lock: RefCell<Option<Lock>>,
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

    /// Takes the lock, and runs `ops` in the same transaction. Returns false when `snapshot` is out of date.
    pub fn take_lock(
        &self,
        snapshot: &Snapshot,
        ops: Vec<TxnOp>,
        deadline: &Deadline,
    ) -> Result<bool> {
        let lease = Lease::grant(&self.etcd.client, self.etcd.local.settings.lease, deadline)?;
        let Some(revision) = self.create_lock(snapshot, ops, lease.id, deadline)? else {
            return Ok(false);
        };
        *self.lock.borrow_mut() = Some(Lock { lease, revision });
        Ok(true)
    }

    fn create_lock(
        &self,
        snapshot: &Snapshot,
        mut ops: Vec<TxnOp>,
        lease: i64,
        deadline: &Deadline,
    ) -> Result<Option<i64>> {
        let etcd = self.etcd;
        let action = etcd.action(snapshot.generation())?;
        ops.push(etcd.put_with_lease("lock", &action, lease));
        let conditions = [self.lock_is(0), self.login_is_unchanged(snapshot)];
        let txn = Txn::new().when(conditions).and_then(ops);
        if let Some(revision) = etcd.client.commit(&txn, deadline)? {
            return Ok(Some(revision));
        }
        // The client repeats a transaction whose answer was lost: the first try may have taken the lock.
        let now = etcd.snapshot_by(deadline)?;
        Ok((now.lease("lock") == lease).then(|| now.created("lock")))
    }

    fn lock_is(&self, created: i64) -> Compare {
        Compare::create_revision(self.etcd.key("lock"), CompareOp::Equal, created)
    }

    fn login_is_unchanged(&self, snapshot: &Snapshot) -> Compare {
        let modified = snapshot.modified("login");
        Compare::mod_revision(self.etcd.key("login"), CompareOp::Equal, modified)
    }

    /// Returns whether this hold has the lock in `snapshot`. Drops a lock that was lost.
    pub fn has_lock(&self, snapshot: &Snapshot) -> bool {
        let mut lock = self.lock.borrow_mut();
        let is_ours =
            |lock: &Lock| !lock.lease.is_lost() && snapshot.created("lock") == lock.revision;
        if !lock.as_ref().is_some_and(is_ours) {
            *lock = None;
        }
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
            self.take_lock(&snapshot, Vec::new(), deadline)?;
        } else if deadline.is_over() {
            return Err(busy(&snapshot));
        } else {
            self.etcd.wait(&snapshot, deadline)?;
        }
        Ok(None)
    }

    fn write(&self, snapshot: &Snapshot, ops: Vec<TxnOp>) -> Result<Option<bool>> {
        let revision = self.lock.borrow().as_ref().map_or(0, |lock| lock.revision);
        let conditions = [self.lock_is(revision), self.login_is_unchanged(snapshot)];
        let txn = Txn::new().when(conditions).and_then(ops);
        Ok(self.etcd.client.commit(&txn, &Deadline::after(TRANSACTION))?.map(|_| true))
    }
}

/// Returns the error that names the host with the lock.
pub fn busy(snapshot: &Snapshot) -> Error {
    let holder = snapshot.record::<HostAction>("lock").map(|action| action.host.name);
    let holder = holder.unwrap_or_else(|| "another host".into());
    Error::new(Kind::Busy, format!("{holder} is changing the login in etcd"))
        .run("to see when it is done", "codex-credential fleet status")
}
