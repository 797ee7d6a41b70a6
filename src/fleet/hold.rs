//! What a host writes to etcd under the lock: the intent of a refresh request, a new login, the end of a login.

use crate::client::ClientRegistration;
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::lock::{EtcdHold, Plan};
use crate::fleet::snapshot::Snapshot;
use crate::login::Login;
use crate::storage::journal::{self, Intent, Journal};
use crate::storage::records::InvalidToken;
use crate::storage::stored_login::StoredLogin;
use crate::storage::{Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse};
use etcd_client::TxnOp;
use std::time::Duration;

/// How long a commit is tried. It may have the only copy of the tokens.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(120);
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many of the hosts that renewed last are listed.
const MOST_HOSTS: usize = 100;

impl HeldLogin for EtcdHold<'_> {
    /// A commit would fail on a stored login that this host cannot read.
    fn probe(&self) -> Result<()> {
        self.etcd.snapshot()?.login().map(drop)
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
            Change::SignedIn { tokens, by, at, .. } => self.plan_sign_in(snapshot, tokens, by, at),
        })?;
        self.etcd.sync()?;
        Ok(committed)
    }

    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let removed = self.change(deadline, |snapshot| {
            let stored = snapshot.login()?.map(StoredLogin::login);
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

    fn unanswered_request(&self) -> Option<Error> {
        let action = self.unanswered.as_ref()?;
        let (name, at) = (&action.host.name, clock::rfc3339(action.at));
        let what = format!("{name} sent a refresh request at {at} and may have the answer");
        let hint = format!("{name} stores the answer as soon as it reaches etcd again");
        Some(Error::new(Kind::Busy, what).hint(hint))
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
        let is_written = self.change(&Deadline::after(LOCK_TIMEOUT), |snapshot| {
            let stored = snapshot.login()?.map(|login| login.fingerprint());
            let is_locked = snapshot.has("lock") && !self.has_lock(snapshot);
            if is_locked || stored != intent.replaces {
                return Ok(Plan::Finished(false));
            }
            let action = self.etcd.action(snapshot.generation())?;
            Ok(Plan::Write(vec![self.etcd.put("intent", &action)]))
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
            return Ok(Plan::Write(self.write_login(snapshot, stored.renewed(tokens))?));
        }
        // An earlier try may have stored these tokens although its answer was lost.
        let is_stored = tokens
            .refresh_token
            .as_ref()
            .is_some_and(|token| token.fingerprint() == stored.fingerprint());
        Ok(Plan::Finished(is_stored))
    }

    fn plan_sign_in(
        &self,
        snapshot: &Snapshot,
        tokens: &TokenResponse,
        by: &ClientRegistration,
        at: i64,
    ) -> Result<Plan> {
        let stored_at = snapshot.login()?.map(|stored| stored.signed_in_at());
        let Some(login) = StoredLogin::signed_in(tokens, by, at) else {
            return Ok(Plan::Finished(false));
        };
        if stored_at >= Some(at) {
            return Ok(Plan::Finished(stored_at == Some(at)));
        }
        let mut ops = self.write_login(snapshot, login)?;
        ops.extend(["pending", "prompt"].map(|name| self.etcd.delete(name)));
        Ok(Plan::Write(ops))
    }

    /// Returns the operations that store `login` as the next generation.
    fn write_login(&self, snapshot: &Snapshot, login: StoredLogin) -> Result<Vec<TxnOp>> {
        let etcd = self.etcd;
        let action = etcd.action(snapshot.generation() + 1)?;
        let mut hosts = snapshot.hosts();
        hosts.retain(|earlier| earlier.host.id != action.host.id);
        hosts.insert(0, action.clone());
        hosts.truncate(MOST_HOSTS);
        let mut ops = vec![
            etcd.put_sealed("login", &login, false, &action)?,
            etcd.put_sealed("access", &login.without_long_lived(), true, &action)?,
            etcd.put("hosts", &hosts),
        ];
        ops.extend(["intent", "invalid-token"].map(|name| etcd.delete(name)));
        Ok(ops)
    }
}
