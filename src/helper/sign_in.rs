//! The device login inside a renewal: joins the one that is pending, or starts one and records it before it is
//! shown; polls until it is approved, denied, expired, cancelled, or no longer needed.

use super::refresh::refresh;
use super::renew::{Goal, Renewal, commit, hold};
use super::revoke::revoke;
use super::rules;
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::codex;
use crate::oauth::device::{Approval, Pace, Pending, Step};
use crate::oauth::http::Http;
use crate::oauth::token::{self, Outcome};
use crate::profile::Profile;
use crate::storage::journal::{self, Intent, Request};
use crate::storage::place::Place;
use crate::storage::record::Record;
use crate::storage::watch::watch;
use crate::storage::{Change, Hold};
use crate::tokens::Grant;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Between two tries to renew the stored login while a person signs in anew.
const UPKEEP: Duration = Duration::from_secs(60);

struct SignIn<'a> {
    renewal: &'a Renewal<'a>,
    http: Http,
    record: Record<Pending>,
    changes: Receiver<()>,
    /// The request of a killed renewal whose answer is not known.
    cut_off: Option<&'a Intent>,
}

/// `reason` tells the person why there is something to approve.
pub(super) fn sign_in(
    renewal: &Renewal,
    cut_off: Option<&Intent>,
    reason: Option<String>,
) -> Result<()> {
    // Before a person is asked for what would be refused.
    rules::check_method(renewal.profile)?;
    let (sender, changes) = mpsc::channel();
    watch(&renewal.profile.watched(&renewal.place), move || sender.send(()).is_ok());
    let (http, record) = (renewal.http()?, renewal.place.pending());
    let sign_in = SignIn { renewal, http, record, changes, cut_off };
    let pending = sign_in.join_or_start(reason)?;
    let approval = match pending.approval.clone() {
        Some(approval) => Some(approval),
        None => sign_in.wait_for_approval(&pending)?,
    };
    match approval {
        Some(approval) => sign_in.exchange(pending, &approval),
        None => sign_in.record.remove(),
    }
}

impl SignIn<'_> {
    fn join_or_start(&self, reason: Option<String>) -> Result<Pending> {
        let issuer = &self.renewal.profile.issuer;
        if let Some(pending) = self.record.load()?
            && pending.is_usable(issuer, clock::now())
        {
            return Ok(pending);
        }
        // A login that could not be kept is asked of nobody.
        hold(self.renewal.profile)?.probe()?;
        let mut pending = codex::start(&self.http, issuer)?;
        pending.prompt.reason = reason;
        pending.is_needed = !self.has_another_login();
        self.record.save(&pending)?;
        Ok(pending)
    }

    /// Whether those who need a token can be served while a person signs in anew.
    fn has_another_login(&self) -> bool {
        self.renewal.order.goal == Goal::SignIn
            && self.renewal.profile.storage.load().is_ok_and(|login| login.is_some())
    }

    /// `None` when the login that was needed is there by other means.
    fn wait_for_approval(&self, pending: &Pending) -> Result<Option<Approval>> {
        let mut pace = Pace::new(pending.interval);
        let mut pause = pace.interval();
        let mut upkeep = Deadline::after(Duration::ZERO);
        loop {
            if self.has_another_login()
                && upkeep.is_over()
                && !self.renewal.is_satisfied().unwrap_or(true)
            {
                // Those who need a token now are not kept waiting for a person.
                let _ = refresh(self.renewal, self.cut_off);
                upkeep = Deadline::after(UPKEEP);
            }
            if self.sleep(pending, pause)? == Awake::NotNeeded {
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
        let pause = Deadline::after(pause);
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
            let may_be_enough = may_have_changed && self.renewal.order.goal != Goal::SignIn;
            if may_be_enough && self.renewal.is_satisfied().unwrap_or(false) {
                return Ok(Awake::NotNeeded);
            }
            if pause.is_over() {
                return Ok(Awake::TimeToPoll);
            }
            let tick = pause.remaining().min(Duration::from_secs(1));
            may_have_changed = self.changes.recv_timeout(tick).is_ok();
        }
    }

    fn exchange(&self, mut pending: Pending, approval: &Approval) -> Result<()> {
        // From here on a new process must exchange, not poll.
        pending.approval = Some(approval.clone());
        self.record.save(&pending)?;
        let storage = &self.renewal.profile.storage;
        let hold = hold(self.renewal.profile)?;
        let intent = Intent {
            request: Request::SignIn,
            replaces: storage.fingerprint(),
            to: self.renewal.profile.issuer.clone(),
            at: clock::now(),
        };
        let mut journal = hold.begin(&intent)?;
        match token::exchange(&self.http, &pending, approval) {
            Outcome::Granted(grant) => {
                let noted = journal.answer(&grant);
                let kept = keep(self.renewal.profile, &self.renewal.place, &*hold, &intent, &grant);
                kept.map_err(|error| noted.err().unwrap_or(error))
            }
            Outcome::NotProcessed(error, pause) => {
                journal.clear()?;
                Err(error.retry_after(pause))
            }
            Outcome::Unknown(error) => Err(error),
            Outcome::Refused { error, .. } => {
                journal.clear()?;
                self.record.remove()?;
                let was_cut_off = self.cut_off.is_some_and(|left| left.request == Request::SignIn);
                Err(if was_cut_off { lost(&error) } else { error })
            }
        }
    }
}

/// Commits a journaled sign-in, if it is one that is allowed; otherwise ends it at the server and stores nothing.
pub(super) fn keep(
    profile: &Profile,
    place: &Place,
    hold: &dyn Hold,
    intent: &Intent,
    grant: &Grant,
) -> Result<()> {
    let Some(login) = Login::granted(grant, &intent.to) else { return Err(no_access_token()) };
    if let Err(refusal) = rules::check(profile, &login) {
        place.pending::<Pending>().remove()?;
        journal::clear(&place.journal())?;
        return Err(match revoke(profile, &login) {
            Ok(_) => refusal,
            Err(error) => Error {
                message: format!(
                    "{refusal}; it was not stored, but could not be revoked ({error})"
                ),
                ..refusal
            },
        });
    }
    commit(hold, intent, &Change::SignedIn { grant, by: &intent.to, at: intent.at })?;
    place.signed_in().save(&clock::timestamp().to_string())?;
    place.forget()
}

fn no_access_token() -> Error {
    Error::new(Kind::Server, "the server signed in without an access token")
}

#[derive(PartialEq)]
enum Awake {
    TimeToPoll,
    NotNeeded,
}

/// The person, or a logout, removed the pending record.
pub fn cancelled() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in was cancelled")
        .run("to start again", "codex-credential login")
}

fn lost(error: &Error) -> Error {
    Error::new(
        Kind::LoginRequired,
        format!(
            "the sign-in was cut off before its answer arrived and cannot be taken up ({error})"
        ),
    )
    .sign_in_again()
}
