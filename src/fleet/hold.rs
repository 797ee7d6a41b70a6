//! What a host writes to etcd under the lock: the intent of a refresh request, a new login, the end of a login. Each change
//! is a transaction that compares the lease of the lock and the revision of the login, so that a host that was paused and
//! has lost the lock writes nothing.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::encryption;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lease::Lease;
use crate::fleet::snapshot::{SentRequest, Snapshot, Unanswered};
use crate::login::Login;
use crate::storage::etcd_settings::{LostAnswer, Role};
use crate::storage::journal::{self, Intent, Journal};
use crate::storage::records::InvalidToken;
use crate::storage::seal::Seal;
use crate::storage::shared::HostAction;
use crate::storage::{Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;

/// How long a commit is tried. It may have the only copy of the tokens.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(120);
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
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
    pub unanswered: Option<Unanswered>,
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
        if etcd.local.settings.role == Role::Reader {
            return Err(only_reads());
        }
        let mut snapshot = etcd.snapshot()?;
        let before = snapshot.modified("login");
        // Runs while the lock is free and another host may return with an answer.
        let mut grace: Option<Deadline> = None;
        loop {
            let unanswered = snapshot.unanswered();
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
            let lease = Lease::lock(self.etcd, "lock", deadline)?;
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

impl HeldLogin for EtcdHold<'_> {
    fn probe(&self) -> Result<()> {
        self.etcd.snapshot()?;
        encryption::check_own(&self.etcd.local.settings)
    }

    fn begin_refresh(&self, intent: &Intent) -> Result<Option<Journal>> {
        let journal = self.etcd.begin(&self.etcd.local.login_dir, intent)?;
        match self.lock_for_refresh(intent) {
            Ok(true) => Ok(Some(journal)),
            // Without the lock no request is sent, so the intent must not stay.
            not_locked => {
                journal.clear()?;
                not_locked.map(|_| None)
            }
        }
    }

    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        _deadline: &Deadline,
    ) -> Result<bool> {
        let deadline = Deadline::after(COMMIT_TIMEOUT);
        let committed = self.change(&deadline, |snapshot| match *change {
            Change::Renewed(tokens) => self.plan_renewal(snapshot, replaces, tokens),
            Change::SignedIn { login, .. } => self.plan_sign_in(snapshot, login),
        })?;
        self.etcd.sync()?;
        Ok(committed)
    }

    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let removed = self.change(deadline, |snapshot| {
            let stored = snapshot.login()?;
            if !stored.is_some_and(|login| is_meant(&login)) {
                return Ok(Plan::Finished(false));
            }
            let names = ["login", "access", "intent", "invalid-token", "pending", "prompt"];
            Ok(Plan::Write(names.map(|name| self.etcd.delete(name)).into()))
        })?;
        if removed {
            self.etcd.local.sign_in_dir().cancel()?;
            journal::clear(&self.etcd.local.login_dir.journal())?;
        }
        self.etcd.sync()?;
        Ok(removed)
    }

    fn other_host_error(&self) -> Option<Error> {
        let (name, at) = match &self.unanswered.as_ref()?.action {
            Some(action) => (&*action.host.name, format!(" at {}", clock::rfc3339(action.at))),
            None => ("another host", String::new()),
        };
        let what = format!("{name} sent a refresh request{at} and may have the answer");
        let hint = format!("{name} stores the answer as soon as it reaches etcd again");
        Some(Error::new(Kind::Busy, what).hint(hint))
    }

    fn waits_for_other_host(&self) -> bool {
        self.etcd.local.settings.unanswered == LostAnswer::Wait
    }

    fn close_request(&self, invalid_token: Option<&InvalidToken>) -> Result<()> {
        self.change(&Deadline::after(CLOSE_TIMEOUT), |_| {
            let mut ops = vec![self.etcd.delete("intent")];
            ops.extend(invalid_token.map(|token| self.etcd.put("invalid-token", token)));
            Ok(Plan::Write(ops))
        })
        .map(drop)
    }
}

impl EtcdHold<'_> {
    /// Takes the lock and writes the intent. Returns false when another host was first: the login is to be read again.
    fn lock_for_refresh(&self, intent: &Intent) -> Result<bool> {
        let request = Fingerprint::of(Seal::new()?.bytes()).prefix(16).to_owned();
        self.etcd.local.record_sent(&request)?;
        let is_written = self.change(&Deadline::after(LOCK_TIMEOUT), |snapshot| {
            let stored = snapshot.login()?.map(|login| login.fingerprint());
            let is_locked = snapshot.has("lock") && !self.has_lock(snapshot);
            if is_locked || stored != intent.replaces {
                return Ok(Plan::Finished(false));
            }
            let sent = SentRequest { action: self.etcd.action()?, request: request.clone() };
            Ok(Plan::Write(vec![self.etcd.put("intent", &sent)]))
        })?;
        // Checks again: a host that was paused up to here has lost the lock, and must not send the request.
        Ok(is_written && self.has_lock(&self.etcd.snapshot()?))
    }

    fn plan_renewal(
        &self,
        snapshot: &Snapshot,
        replaces: Option<&Fingerprint>,
        tokens: &TokenResponse,
    ) -> Result<Plan> {
        let Some(stored) = snapshot.login()? else { return Ok(Plan::Finished(false)) };
        if Some(&stored.fingerprint()) == replaces {
            return Ok(Plan::Write(self.write_login(stored.renewed(tokens))?));
        }
        // An earlier try may have stored these tokens although its answer was lost.
        let is_stored = tokens
            .refresh_token
            .as_ref()
            .is_some_and(|token| token.fingerprint() == stored.fingerprint());
        Ok(Plan::Finished(is_stored))
    }

    fn plan_sign_in(&self, snapshot: &Snapshot, login: &Login) -> Result<Plan> {
        encryption::check_own(&self.etcd.local.settings)?;
        // A login that this host cannot open counts as none: the user was told that the sign-in replaces it.
        let stored = snapshot.login().unwrap_or_default();
        let (stored_at, at) = (stored.map(|it| it.signed_in_at), login.signed_in_at);
        if stored_at >= Some(at) {
            return Ok(Plan::Finished(stored_at == Some(at)));
        }
        let mut ops = self.write_login(login.clone())?;
        ops.extend(["pending", "prompt"].map(|name| self.etcd.delete(name)));
        Ok(Plan::Write(ops))
    }

    /// Returns the operations that store `login`.
    fn write_login(&self, login: Login) -> Result<Vec<TxnOp>> {
        let etcd = self.etcd;
        let action = etcd.action()?;
        let mut ops = vec![
            etcd.put_sealed("login", &login, false, &action)?,
            etcd.put_sealed("access", &login.without_long_lived(), true, &action)?,
        ];
        ops.extend(["intent", "invalid-token"].map(|name| etcd.delete(name)));
        Ok(ops)
    }
}

fn only_reads() -> Error {
    let what = "this host only reads the login (role = \"reader\"); nothing was changed";
    Error::new(Kind::Usage, what)
        .run("use a host that renews; to see the last one", "codex-credential fleet status")
}

/// Returns the error that names the host with the lock.
fn busy(snapshot: &Snapshot) -> Error {
    let holder = snapshot.record::<HostAction>("lock").map(|action| action.host.name);
    let holder = holder.unwrap_or_else(|| "another host".into());
    Error::new(Kind::Busy, format!("{holder} is changing the login in etcd"))
        .run("to see when it is done", "codex-credential fleet status")
}
