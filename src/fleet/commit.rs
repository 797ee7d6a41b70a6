//! What is written under the lock: the intent, the answer, the end of a login.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::fleet::lock::{Held, busy};
use crate::fleet::snapshot::{Intended, Snapshot};
use crate::login::Login;
use crate::storage::journal::{Intent, Journal, Request};
use crate::storage::shared::SharedHold;
use crate::storage::stored_login::StoredLogin;
use crate::storage::{Change, HeldLogin};
use crate::tokens::{Fingerprint, Secret};
use etcd_client::TxnOp;
use serde_json::Value;
use std::time::Duration;

/// For a commit: what it brings may be nowhere else.
const PERSISTENCE: Duration = Duration::from_secs(120);
/// How long a host is remembered for having renewed, in seconds.
const MEMORY: Duration = Duration::from_secs(60 * 24 * 3600);

impl HeldLogin for Held<'_> {
    /// Reading it has proved that a majority is there.
    fn probe(&self) -> Result<()> {
        Ok(())
    }

    fn begin(&self, intent: &Intent) -> Result<Option<Journal>> {
        let journal = Journal::begin(&self.etcd.local.login_dir.journal(), intent, None)?;
        // Nothing is sent before this is over: what ends otherwise leaves no doubt.
        match self.take_lock(intent) {
            Ok(true) => Ok(Some(journal)),
            ended => {
                journal.clear()?;
                ended.map(|_| None)
            }
        }
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
                Change::Renewed(tokens) => {
                    let Some(stored) = stored else { return Ok(Err(false)) };
                    if Some(&stored.fingerprint()) != replaces {
                        // It may be this very answer, committed by a try that nobody answered.
                        let is_this = tokens.refresh_token.is_some()
                            && tokens.refresh_token.as_ref().map(Secret::fingerprint)
                                == Some(stored.fingerprint());
                        return Ok(Err(is_this));
                    }
                    self.write(snapshot, stored.renewed(tokens))?
                }
                Change::SignedIn { tokens, by, at } => {
                    let Some(document) = StoredLogin::signed_in(tokens, by, at) else {
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
        self.etcd.local.mirror(&self.etcd.snapshot()?)?;
        Ok(kept)
    }

    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let removed = self.change(deadline, |snapshot| {
            let stored = self.stored(snapshot)?.map(StoredLogin::login);
            if !stored.is_some_and(|login| is_meant(&login)) {
                return Ok(Err(false));
            }
            let names = ["login", "access", "intent", "dead", "pending", "prompt"];
            Ok(Ok(names.map(|name| self.etcd.delete(name)).into()))
        })?;
        if removed {
            self.etcd.local.login_dir.forget()?;
        }
        self.etcd.local.mirror(&self.etcd.snapshot()?)?;
        Ok(removed)
    }

    fn shared(&self) -> Option<&dyn SharedHold> {
        Some(self)
    }
}

impl SharedHold for Held<'_> {
    fn unanswered_request(&self) -> Option<Error> {
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

    fn close_request(&self, dead: Option<&Value>) -> Result<()> {
        let deadline = Deadline::after(Duration::from_secs(10));
        self.change(&deadline, |_| {
            let mut ops = vec![self.etcd.delete("intent")];
            ops.extend(dead.map(|dead| self.etcd.put("dead", dead)));
            Ok(Ok(ops))
        })
        .map(drop)
    }
}

impl Held<'_> {
    /// With the intent of a refresh; false when another host was first.
    fn take_lock(&self, intent: &Intent) -> Result<bool> {
        let etcd = self.etcd;
        let deadline = Deadline::after(Duration::from_secs(30));
        let is_refresh = intent.request == Request::Refresh;
        loop {
            let snapshot = etcd.snapshot()?;
            let stored = self.stored(&snapshot)?.map(|document| document.fingerprint());
            if is_refresh && stored != intent.replaces {
                return Ok(false);
            }
            if self.is_locked(&snapshot) {
                return Ok(true);
            }
            let deed = etcd.deed(snapshot.generation())?;
            let record = Intended { deed, intent: intent.clone() };
            let puts = if is_refresh { vec![etcd.put("intent", &record)] } else { Vec::new() };
            if snapshot.created("lock") == 0 && self.lock(&snapshot, puts, &deadline)? {
                // Looked at once more: a host that was away until here has lost it, and sends nothing.
                return Ok(!is_refresh || self.is_locked(&etcd.snapshot()?));
            }
            if is_refresh {
                return Ok(false);
            }
            if deadline.is_over() {
                return Err(busy(&snapshot));
            }
            etcd.wire.wait(&etcd.local.prefix, snapshot.revision, &deadline)?;
        }
    }

    fn stored(&self, snapshot: &Snapshot) -> Result<Option<StoredLogin>> {
        snapshot.document(&self.etcd.local.settings)
    }

    /// Writes `document`, and what goes with it.
    fn write(&self, snapshot: &Snapshot, document: StoredLogin) -> Result<Vec<TxnOp>> {
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
