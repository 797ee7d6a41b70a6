//! The device login inside a renewal: joins the one that is pending, or starts one and records it before it is
//! shown; polls until it is approved, denied, expired, cancelled, or another program signed in.

use super::renew::Renewal;
use super::revoke::revoke;
use super::rules;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::codex;
use crate::oauth::device::{Approval, Pace, Pending, Step};
use crate::oauth::http::Http;
use crate::oauth::token::{self, Outcome};
use crate::storage::codex_home::{Change, Hold};
use crate::storage::journal::{self, Intent, Journal, Request};
use crate::storage::record::Record;
use crate::storage::watch::watch;
use crate::tokens::{Fingerprint, Grant};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

type Version = Option<(Fingerprint, Fingerprint)>;

struct SignIn<'a> {
    renewal: &'a Renewal<'a>,
    http: Http,
    record: Record<Pending>,
    /// The login that was stored when this began.
    before: Version,
    changes: Receiver<()>,
}

/// `reason` tells the person why there is something to approve.
pub(super) fn sign_in(
    renewal: &Renewal,
    cut_off: Option<&Intent>,
    reason: Option<String>,
) -> Result<()> {
    let storage = &renewal.profile.storage;
    // Before a person is asked for what would be refused.
    rules::check_method(storage.config()?)?;
    let (sender, changes) = mpsc::channel();
    watch(&[storage.dir(), storage.place().dir()], move || sender.send(()).is_ok());
    let sign_in = SignIn {
        renewal,
        http: renewal.http()?,
        record: storage.place().pending(),
        before: version(renewal),
        changes,
    };
    let pending = sign_in.join_or_start(reason)?;
    let approval = match pending.approval.clone() {
        Some(approval) => Some(approval),
        None => sign_in.wait_for_approval(&pending)?,
    };
    match approval {
        Some(approval) => sign_in.exchange(pending, &approval, cut_off),
        None => sign_in.record.remove(),
    }
}

fn version(renewal: &Renewal) -> Version {
    renewal.profile.storage.load().ok().flatten().as_ref().map(Login::version)
}

impl SignIn<'_> {
    fn join_or_start(&self, reason: Option<String>) -> Result<Pending> {
        let issuer = &self.renewal.profile.issuer;
        if let Some(pending) = self.record.load()?
            && pending.is_usable(issuer, clock::now())
        {
            return Ok(pending);
        }
        let mut pending = codex::start(&self.http, issuer)?;
        pending.prompt.reason = reason;
        self.record.save(&pending)?;
        Ok(pending)
    }

    /// `None` when another program signed in meanwhile.
    fn wait_for_approval(&self, pending: &Pending) -> Result<Option<Approval>> {
        let mut pace = Pace::new(pending.interval);
        let mut pause = pace.interval();
        loop {
            if self.sleep(pending, pause)? == Awake::SignedInElsewhere {
                return Ok(None);
            }
            match pace.next_step(codex::poll(&self.http, pending)) {
                Step::Wait(next) => pause = next,
                Step::Approved(approval) => return Ok(Some(approval)),
                Step::Refused(error) => {
                    self.record.remove()?;
                    return Err(error);
                }
            }
        }
    }

    /// Sleeps for `pause`, but not past the end of the code, of the record, or of the need for it.
    fn sleep(&self, pending: &Pending, pause: Duration) -> Result<Awake> {
        let pause = clock::Deadline::after(pause);
        let mut may_have_changed = true;
        loop {
            if clock::now() >= pending.prompt.expires_at {
                self.record.remove()?;
                return Err(codex::expired());
            }
            let recorded = self.record.load()?.map(|recorded| recorded.prompt.user_code);
            if recorded.as_ref() != Some(&pending.prompt.user_code) {
                return Err(cancelled());
            }
            if may_have_changed
                && version(self.renewal) != self.before
                && self.renewal.is_satisfied().unwrap_or(false)
            {
                return Ok(Awake::SignedInElsewhere);
            }
            if pause.is_over() {
                return Ok(Awake::TimeToPoll);
            }
            let tick = pause.remaining().min(Duration::from_secs(1));
            may_have_changed = self.changes.recv_timeout(tick).is_ok();
        }
    }

    fn exchange(
        &self,
        mut pending: Pending,
        approval: &Approval,
        cut_off: Option<&Intent>,
    ) -> Result<()> {
        // From here on a new process must exchange, not poll.
        pending.approval = Some(approval.clone());
        self.record.save(&pending)?;
        let storage = &self.renewal.profile.storage;
        let hold = self.renewal.hold()?;
        let intent = Intent {
            request: Request::SignIn,
            replaces: storage.fingerprint(),
            to: self.renewal.profile.issuer.clone(),
            at: clock::now(),
        };
        hold.probe()?;
        let mut journal = Journal::begin(&storage.place().journal(), &intent)?;
        match token::exchange(&self.http, &pending, approval) {
            Outcome::Granted(grant) => {
                journal.answer(&grant)?;
                keep(self.renewal, &hold, &intent, &grant)
            }
            Outcome::NotProcessed(error, pause) => {
                journal.clear()?;
                Err(error.retry_after(pause))
            }
            Outcome::Unknown(error) => Err(error),
            Outcome::Refused(error) => {
                journal.clear()?;
                self.record.remove()?;
                let was_cut_off = cut_off.is_some_and(|left| left.request == Request::SignIn);
                Err(if was_cut_off { lost(&error) } else { error })
            }
        }
    }
}

/// Commits a journaled sign-in, if it is one that is allowed; otherwise ends it at the server and stores nothing.
pub(super) fn keep(renewal: &Renewal, hold: &Hold, intent: &Intent, grant: &Grant) -> Result<()> {
    let storage = &renewal.profile.storage;
    let Some(login) = Login::granted(grant, &intent.to) else { return Err(no_access_token()) };
    if let Err(refusal) = rules::check(storage.config()?, &login) {
        storage.place().pending::<Pending>().remove()?;
        journal::clear(&storage.place().journal())?;
        return Err(match revoke(renewal.profile, &login) {
            Ok(_) => refusal,
            Err(error) => Error {
                message: format!(
                    "{refusal}; it was not stored, but could not be revoked ({error})"
                ),
                ..refusal
            },
        });
    }
    hold.commit(intent.replaces.as_ref(), &Change::SignedIn(grant, &intent.to))?;
    storage.place().signed_in()?;
    journal::clear(&storage.place().journal())
}

fn no_access_token() -> Error {
    Error::new(Kind::Server, "the server signed in without an access token")
}

#[derive(PartialEq)]
enum Awake {
    TimeToPoll,
    SignedInElsewhere,
}

/// The person, or `login --cancel`, removed the pending record.
pub fn cancelled() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in was cancelled")
        .hint("to start again, run: codex-credential login")
}

fn lost(error: &Error) -> Error {
    Error::new(
        Kind::LoginRequired,
        format!(
            "the sign-in was cut off before its answer arrived and cannot be taken up ({error})"
        ),
    )
    .hint("run: codex-credential login")
}
