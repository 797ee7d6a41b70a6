//! Changes of the login: one host at a time, by a lock that is bound to a lease, and by transactions that compare the
//! generation and the lock's own revision, so that a host that was paused and woke up late writes nothing.

use super::access::Etcd;
use super::lease::Lease;
use super::snapshot::{Intended, Snapshot};
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::storage::document::Document;
use crate::storage::journal::{Intent, Journal, Request};
use crate::storage::{Change, Hold};
use crate::tokens::{Fingerprint, Secret};
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use serde_json::Value;
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

/// How long a host that may have the answer to a refresh is waited for after its lease has ended.
const RETURN: Duration = Duration::from_secs(3);
/// For a commit: what it brings may be nowhere else.
const PERSISTENCE: Duration = Duration::from_secs(120);
/// How long a host is remembered for having renewed, in seconds.
const MEMORY: Duration = Duration::from_secs(60 * 24 * 3600);

struct Lock {
    lease: Lease,
    /// When it was created: no other lock has this revision.
    revision: i64,
}

pub struct Held<'a> {
    etcd: &'a Etcd,
    lock: RefCell<Option<Lock>>,
    /// Whose request had no known answer when this began.
    doubt: Option<Intended>,
}

impl<'a> Held<'a> {
    /// Waits until no other host is at it; or until the login has changed, for then there is something to read.
    pub fn new(etcd: &'a Etcd, deadline: &Deadline) -> Result<Self> {
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
            etcd.wire.wait(&etcd.prefix, snapshot.revision, until)?;
            snapshot = etcd.snapshot()?;
        }
    }

    /// Takes the lock, with `puts`, if `snapshot` still is what is there; false when another host was first.
    fn lock(&self, snapshot: &Snapshot, puts: Vec<TxnOp>, deadline: &Deadline) -> Result<bool> {
        let etcd = self.etcd;
        let lease = Lease::grant(&etcd.wire, etcd.settings.lease, deadline)?;
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
    fn is_locked(&self, snapshot: &Snapshot) -> bool {
        let mut lock = self.lock.borrow_mut();
        let is_ours =
            |lock: &Lock| !lock.lease.is_lost() && snapshot.created("lock") == lock.revision;
        if !lock.as_ref().is_some_and(is_ours) {
            *lock = None;
        }
        lock.is_some()
    }

    /// Makes the change that `change` finds in what is stored, under the lock; tries until `deadline` where etcd does
    /// not answer. `None` from `change` means that nothing is to be changed, and what that comes to.
    fn change(
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
                etcd.wire.wait(&etcd.prefix, snapshot.revision, deadline)?;
            }
            return Ok(None);
        }
        let revision = self.lock.borrow().as_ref().map_or(0, |lock| lock.revision);
        let txn =
            Txn::new().when([self.is("lock", revision), self.unchanged(&snapshot)]).and_then(ops);
        let short = Deadline::after(Duration::from_secs(3));
        Ok(etcd.wire.commit(&txn, &short)?.map(|_| true))
    }

    fn stored(&self, snapshot: &Snapshot) -> Result<Option<Document>> {
        snapshot.document(&self.etcd.settings)
    }

    /// Writes `document`, and what goes with it.
    fn write(&self, snapshot: &Snapshot, document: Document) -> Result<Vec<TxnOp>> {
        let etcd = self.etcd;
        let deed = etcd.deed(snapshot.generation() + 1)?;
        let mut ops = Vec::from(etcd.puts(document, &deed)?);
        ops.push(etcd.put(&format!("hosts/{}", deed.host.id), &deed));
        ops.extend(["intent", "dead"].map(|name| etcd.delete(name)));
        Ok(ops)
    }

    fn forget_old_hosts(&self, snapshot: &Snapshot) -> Vec<TxnOp> {
        let oldest = crate::clock::now() - crate::clock::seconds(MEMORY);
        let old = snapshot.hosts().into_iter().filter(|deed| deed.at < oldest);
        old.map(|deed| self.etcd.delete(&format!("hosts/{}", deed.host.id))).take(50).collect()
    }
}

impl Hold for Held<'_> {
    /// Reading it has proved that a majority is there.
    fn probe(&self) -> Result<()> {
        Ok(())
    }

    fn doubt(&self) -> Option<Error> {
        let doubt = self.doubt.as_ref()?;
        let (name, at) = (&doubt.deed.host.name, crate::clock::rfc3339(doubt.deed.at));
        let what = format!(
            "{name} began to renew the login at {at} and may have the answer; its refresh token is not sent again \
             before it is needed"
        );
        Some(
            Error::new(Kind::Busy, what).hint(format!("when {name} is back, it stores the answer")),
        )
    }

    fn begin(&self, intent: &Intent) -> Result<Option<Journal>> {
        let etcd = self.etcd;
        let deadline = Deadline::after(Duration::from_secs(30));
        let journal = Journal::begin(&etcd.place.journal(), intent, None)?;
        loop {
            let snapshot = etcd.snapshot()?;
            let stored = self.stored(&snapshot)?.map(|document| document.fingerprint());
            let is_refresh = intent.request == Request::Refresh;
            if is_refresh && stored != intent.replaces {
                journal.clear()?;
                return Ok(None);
            }
            if self.is_locked(&snapshot) {
                return Ok(Some(journal));
            }
            let deed = etcd.deed(snapshot.generation())?;
            let record = Intended { deed, intent: intent.clone() };
            let puts = if is_refresh { vec![etcd.put("intent", &record)] } else { Vec::new() };
            if snapshot.created("lock") == 0 && self.lock(&snapshot, puts, &deadline)? {
                return Ok(Some(journal));
            }
            if is_refresh {
                journal.clear()?;
                return Ok(None);
            }
            if deadline.is_over() {
                return Err(busy(&snapshot));
            }
            etcd.wire.wait(&etcd.prefix, snapshot.revision, &deadline)?;
        }
    }

    fn settle(&self, dead: Option<&Value>) -> Result<()> {
        let deadline = Deadline::after(Duration::from_secs(10));
        self.change(&deadline, |_| {
            let mut ops = vec![self.etcd.delete("intent")];
            ops.extend(dead.map(|dead| self.etcd.put("dead", dead)));
            Ok(Ok(ops))
        })
        .map(drop)
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        _deadline: &Deadline,
    ) -> Result<bool> {
        let kept = self.change(&Deadline::after(PERSISTENCE), |snapshot| {
            let stored = self.stored(snapshot)?;
            let mut ops = match *change {
                Change::Renewed(grant) => {
                    let Some(stored) = stored else { return Ok(Err(false)) };
                    if Some(&stored.fingerprint()) != replaces {
                        // It may be this very answer, committed by a try that nobody answered.
                        let is_this = grant.refresh_token.is_some()
                            && grant.refresh_token.as_ref().map(Secret::fingerprint)
                                == Some(stored.fingerprint());
                        return Ok(Err(is_this));
                    }
                    self.write(snapshot, stored.renewed(grant))?
                }
                Change::SignedIn { grant, by, at } => {
                    let Some(document) = Document::signed_in(grant, by, at) else {
                        return Ok(Err(false));
                    };
                    let known = stored.map(|stored| stored.signed_in_at());
                    if known >= Some(at) {
                        return Ok(Err(known == Some(at)));
                    }
                    let mut ops = self.write(snapshot, document)?;
                    ops.extend(["pending", "prompt"].map(|name| self.etcd.delete(name)));
                    ops
                }
            };
            ops.extend(self.forget_old_hosts(snapshot));
            Ok(Ok(ops))
        })?;
        self.etcd.mirror(&self.etcd.snapshot()?)?;
        Ok(kept)
    }

    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let removed = self.change(deadline, |snapshot| {
            let stored = self.stored(snapshot)?.map(Document::login);
            if !stored.is_some_and(|login| is_meant(&login)) {
                return Ok(Err(false));
            }
            let names = ["login", "access", "intent", "dead", "pending", "prompt"];
            Ok(Ok(names.map(|name| self.etcd.delete(name)).into()))
        })?;
        if removed {
            self.etcd.place.forget()?;
        }
        self.etcd.mirror(&self.etcd.snapshot()?)?;
        Ok(removed)
    }
}

fn busy(snapshot: &Snapshot) -> Error {
    let holder = snapshot.record::<super::Deed>("lock").map(|deed| deed.host.name);
    let holder = holder.unwrap_or_else(|| "another host".into());
    Error::new(Kind::Busy, format!("{holder} is at the login in etcd"))
        .hint("try again when it is done; codex-credential fleet status tells")
}
