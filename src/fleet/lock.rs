//! One host changes the login at a time: by a lock that is bound to a lease, and by transactions that compare the
//! generation and the lock's own revision, so that a host that was paused and woke up late writes nothing.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lease::Lease;
use crate::fleet::snapshot::{Intended, Snapshot};
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

/// How long a host that may have the answer to a refresh is waited for after its lease has ended.
const RETURN: Duration = Duration::from_secs(3);

struct Lock {
    lease: Lease,
    /// When it was created: no other lock has this revision.
    revision: i64,
}

pub struct Held<'a> {
    pub etcd: &'a EtcdStorage,
    lock: RefCell<Option<Lock>>,
    /// Whose request had no known answer when this began.
    pub doubt: Option<Intended>,
}

impl<'a> Held<'a> {
    /// Waits until no other host is at it; or until the login has changed, for then there is something to read.
    pub fn new(etcd: &'a EtcdStorage, deadline: &Deadline) -> Result<Self> {
        etcd.check_writes()?;
        let mut snapshot = etcd.snapshot()?;
        let (before, me) = (snapshot.modified("login"), etcd.host()?);
        let mut patience = None;
        loop {
            let doubt = snapshot.record::<Intended>("intent").filter(|it| it.deed.host != me);
            let is_free = snapshot.created("lock") == 0;
            if !is_free {
                patience = None;
            }
            let until = if is_free && doubt.is_some() {
                patience.get_or_insert_with(|| Deadline::after(RETURN))
            } else {
                deadline
            };
            let is_settled = is_free && (doubt.is_none() || until.is_over());
            if is_settled || snapshot.modified("login") != before {
                return Ok(Self { etcd, lock: RefCell::new(None), doubt });
            }
            if deadline.is_over() {
                return Err(busy(&snapshot));
            }
            etcd.wire.wait(&etcd.local.prefix, snapshot.revision, until)?;
            snapshot = etcd.snapshot()?;
        }
    }

    /// Takes the lock, with `puts`, if `snapshot` still is what is there; false when another host was first.
    pub fn lock(&self, snapshot: &Snapshot, puts: Vec<TxnOp>, deadline: &Deadline) -> Result<bool> {
        let etcd = self.etcd;
        let lease = Lease::tokens(&etcd.wire, etcd.local.settings.lease, deadline)?;
        let deed = serde_json::to_vec(&etcd.deed(snapshot.generation())?).expect("it serializes");
        let bound = PutOptions::new().with_lease(lease.id);
        let mut puts = puts;
        puts.push(TxnOp::put(etcd.key("lock"), deed, Some(bound)));
        let txn = Txn::new().when([self.is("lock", 0), self.unchanged(snapshot)]).and_then(puts);
        let revision = if let Some(revision) = etcd.wire.commit(&txn, deadline)? {
            Some(revision)
        } else {
            // The answer to a first try may have been lost.
            let now = etcd.snapshot_by(deadline)?;
            (now.lease("lock") == lease.id).then(|| now.created("lock"))
        };
        let Some(revision) = revision else { return Ok(false) };
        *self.lock.borrow_mut() = Some(Lock { lease, revision });
        Ok(true)
    }

    fn is(&self, name: &str, created: i64) -> Compare {
        Compare::create_revision(self.etcd.key(name), CompareOp::Equal, created)
    }

    fn unchanged(&self, snapshot: &Snapshot) -> Compare {
        let modified = snapshot.modified("login");
        Compare::mod_revision(self.etcd.key("login"), CompareOp::Equal, modified)
    }

    /// Whether the lock is ours in `snapshot`; a lock that was lost is forgotten.
    pub fn is_locked(&self, snapshot: &Snapshot) -> bool {
        let mut lock = self.lock.borrow_mut();
        let is_ours =
            |lock: &Lock| !lock.lease.is_lost() && snapshot.created("lock") == lock.revision;
        if !lock.as_ref().is_some_and(is_ours) {
            *lock = None;
        }
        lock.is_some()
    }

    /// Makes the change that `change` finds in what is stored, under the lock; tries until `deadline` where etcd does
    /// not answer. An `Err` from `change` means that nothing is to be changed, and what that comes to.
    pub fn change(
        &self,
        deadline: &Deadline,
        change: impl Fn(&Snapshot) -> Result<Result<Vec<TxnOp>, bool>>,
    ) -> Result<bool> {
        loop {
            match self.try_change(deadline, &change) {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => {}
                Err(error) if error.kind == Kind::Network && !deadline.is_over() => {
                    thread::sleep(Duration::from_millis(200));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn try_change(
        &self,
        deadline: &Deadline,
        change: &impl Fn(&Snapshot) -> Result<Result<Vec<TxnOp>, bool>>,
    ) -> Result<Option<bool>> {
        let etcd = self.etcd;
        let snapshot = etcd.snapshot()?;
        let ops = match change(&snapshot)? {
            Ok(ops) => ops,
            Err(done) => return Ok(Some(done)),
        };
        if !self.is_locked(&snapshot) {
            if snapshot.created("lock") == 0 {
                self.lock(&snapshot, Vec::new(), deadline)?;
            } else if deadline.is_over() {
                return Err(busy(&snapshot));
            } else {
                etcd.wire.wait(&etcd.local.prefix, snapshot.revision, deadline)?;
            }
            return Ok(None);
        }
        let revision = self.lock.borrow().as_ref().map_or(0, |lock| lock.revision);
        let txn =
            Txn::new().when([self.is("lock", revision), self.unchanged(&snapshot)]).and_then(ops);
        let short = Deadline::after(Duration::from_secs(3));
        Ok(etcd.wire.commit(&txn, &short)?.map(|_| true))
    }
}

pub fn busy(snapshot: &Snapshot) -> Error {
    let holder =
        snapshot.record::<crate::storage::shared::HostAction>("lock").map(|deed| deed.host.name);
    let holder = holder.unwrap_or_else(|| "another host".into());
    Error::new(Kind::Busy, format!("{holder} is at the login in etcd"))
        .hint("try again when it is done; codex-credential fleet status tells")
}
