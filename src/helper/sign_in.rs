//! The device login inside a renewal: joins the one that is pending, or starts one and records it before it is
//! shown; polls until it is approved, denied, expired, cancelled, or no longer needed.

use super::admit::{self, Refusal};
use super::audit::{self, Action};
use super::insist::until_one_holds;
use super::issuer::Issuer;
use super::refresh::refresh;
use super::renew::{Goal, Renewal, Way, commit, hold, lock_patience, recover};
use super::rules;
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::oauth::codex;
use crate::oauth::device::{Approval, Pace, Pending, Poll, Step};
use crate::oauth::token::Outcome;
use crate::storage::journal::{self, Intent, Request};
use crate::storage::place::Place;
use crate::storage::record::Record;
use crate::storage::watch::watch;
use crate::storage::{Change, Hold};
use crate::tokens::{Fingerprint, Grant};
use crate::trace::{self, Event};
use serde_json::json;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Between two tries to renew the stored login while a person signs in anew.
const UPKEEP: Duration = Duration::from_secs(60);

struct SignIn<'a> {
    renewal: &'a Renewal<'a>,
    issuer: Issuer<'a>,
    record: Record<Pending>,
    /// The device code of a poll whose answer is not known, where a second answer may not come.
    polled: Record<Fingerprint>,
    changes: Receiver<()>,
}

/// `reason` tells the person why there is something to approve.
pub(super) fn sign_in(renewal: &Renewal, reason: Option<String>) -> Result<()> {
    let result = ask(renewal, reason);
    if let Err(error) = &result {
        audit::note(renewal.profile, Action::SignIn, None, Some(error));
    }
    result
}

fn ask(renewal: &Renewal, reason: Option<String>) -> Result<()> {
    // Before a person is asked for what would be refused.
    rules::check_method(renewal.profile)?;
    let (sender, changes) = mpsc::channel();
    watch(&renewal.profile.watched(&renewal.place), move || sender.send(()).is_ok());
    let _ = renewal.profile.storage.catch_up();
    let signed_in = renewal.place.signed_in();
    let before = signed_in.load()?;
    let is_needed = || {
        // On another host, meanwhile.
        let is_other = signed_in.load()? != before;
        Ok(!(is_other || renewal.order.goal != Goal::SignIn && renewal.is_satisfied()?))
    };
    let Some(_turn) = renewal.profile.storage.turn(&is_needed)? else { return Ok(()) };
    let (record, polled) = (renewal.place.pending(), renewal.place.polled());
    let issuer = renewal.issuer()?;
    let sign_in = SignIn { renewal, issuer, record, polled, changes };
    let (pending, joined) = sign_in.join_or_start(reason)?;
    trace::tell(|| Event::Pending { joined, expires_at: pending.prompt.expires_at });
    let answer = match pending.approval.clone() {
        Some(approval) => Answer::Approved(approval),
        None => sign_in.wait_for_approval(&pending)?,
    };
    match answer {
        Answer::Approved(approval) => sign_in.exchange(pending, &approval),
        Answer::Granted(grant) => sign_in.receive(&grant),
        Answer::NotNeeded => sign_in.record.remove(),
    }
}

/// What the waiting came to.
enum Answer {
    /// A code, to be exchanged.
    Approved(Approval),
    /// The tokens themselves.
    Granted(Grant),
    /// The login that was needed is there by other means.
    NotNeeded,
}

impl SignIn<'_> {
    /// And whether it was there.
    fn join_or_start(&self, reason: Option<String>) -> Result<(Pending, bool)> {
        let issuer = &self.renewal.profile.issuer;
        if let Some(mut pending) = self.record.load()?
            && pending.is_usable(issuer, clock::now())
        {
            if self.was_polled(&pending)? {
                pending.prompt.reason = Some(CUT_OFF.into());
                self.save(&pending)?;
            }
            return Ok((pending, true));
        }
        // A login that could not be kept is asked of nobody.
        hold(self.renewal.profile)?.probe()?;
        let mut pending = self.issuer.start()?;
        pending.prompt.reason = reason;
        pending.is_needed = !self.has_another_login();
        self.save(&pending)?;
        Ok((pending, false))
    }

    /// On all hosts that share the storage before it is shown here.
    fn save(&self, pending: &Pending) -> Result<()> {
        self.renewal.profile.storage.publish(&json!(pending), &pending.prompt)?;
        self.record.save(pending)
    }

    /// Whether those who need a token can be served while a person signs in anew.
    fn has_another_login(&self) -> bool {
        self.renewal.order.goal == Goal::SignIn
            && self.renewal.profile.storage.load().is_ok_and(|login| login.is_some())
    }

    fn was_polled(&self, pending: &Pending) -> Result<bool> {
        let polled = self.polled.load()?;
        Ok(polled.is_some_and(|polled| polled == pending.device_code.fingerprint()))
    }

    fn wait_for_approval(&self, pending: &Pending) -> Result<Answer> {
        let mut pace = Pace::new(pending.interval);
        if self.was_polled(pending)? {
            pace = pace.after_unknown();
        }
        let mut pause = pace.interval();
        let mut upkeep = Deadline::after(Duration::ZERO);
        loop {
            if self.has_another_login()
                && upkeep.is_over()
                && !self.renewal.is_satisfied().unwrap_or(true)
            {
                // Those who need a token now are not kept waiting for a person.
                let pause = self.renew_meanwhile().err().and_then(|error| error.retry_after);
                upkeep = Deadline::after(UPKEEP.max(Duration::from_secs(pause.unwrap_or(0))));
            }
            if self.sleep(pending, pause)? == Awake::NotNeeded {
                return Ok(Answer::NotNeeded);
            }
            match pace.next_step(self.poll(pending)?) {
                Step::Wait(next) => pause = next,
                Step::Approved(approval) => return Ok(Answer::Approved(approval)),
                Step::Granted(grant) => return Ok(Answer::Granted(grant)),
                Step::Refused(error) => {
                    self.record.remove()?;
                    return Err(error);
                }
            }
        }
    }

    /// What the last try left goes before: an answer that waits to be stored is not asked for once more.
    fn renew_meanwhile(&self) -> Result<()> {
        let left = recover(self.renewal.profile, &self.renewal.place, &lock_patience())?;
        refresh(self.renewal, left.as_ref()).map(drop)
    }

    /// Where a success is answered once alone, that the question was asked is on disk before, and until the answer is
    /// known.
    fn poll(&self, pending: &Pending) -> Result<Poll> {
        if !self.issuer.polls_once() {
            return Ok(self.issuer.poll(pending));
        }
        self.polled.save(&pending.device_code.fingerprint())?;
        let poll = self.issuer.poll(pending);
        if !matches!(poll, Poll::Unknown | Poll::Granted(_)) {
            self.polled.remove()?;
        }
        Ok(poll)
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
        self.save(&pending)?;
        let Way::Free(cut_off) = self.renewal.clear_the_way()? else { return Ok(()) };
        let hold = hold(self.renewal.profile)?;
        let intent = self.intent();
        let mut journal = hold.begin(&intent)?.ok_or_else(cancelled)?;
        match self.issuer.exchange(&pending, approval) {
            Outcome::Granted(grant) => {
                let store = || keep(&self.issuer, &self.renewal.place, &*hold, &intent, &grant);
                Ok(until_one_holds(|| journal.answer(&grant), store)?)
            }
            Outcome::NotProcessed(error) => {
                journal.clear()?;
                Err(error)
            }
            Outcome::Unknown(error) => Err(error),
            Outcome::Refused { error, .. } => {
                journal.clear()?;
                self.record.remove()?;
                let was_cut_off = cut_off.is_some_and(|left| left.request == Request::SignIn);
                Err(if was_cut_off { lost(&error) } else { error })
            }
        }
    }

    /// The poll itself brought the tokens: on disk with them, before anything else is done.
    fn receive(&self, grant: &Grant) -> Result<()> {
        let hold = hold(self.renewal.profile)?;
        let intent = self.intent();
        let note = || hold.begin(&intent)?.ok_or_else(cancelled)?.answer(grant);
        let store = || keep(&self.issuer, &self.renewal.place, &*hold, &intent, grant);
        Ok(until_one_holds(note, store)?)
    }

    fn intent(&self) -> Intent {
        let profile = self.renewal.profile;
        Intent {
            request: Request::SignIn,
            replaces: profile.storage.fingerprint(),
            to: profile.issuer.clone(),
            at: clock::now(),
        }
    }
}

/// Commits a journaled sign-in, if it is one that is allowed; otherwise it is ended at the server and stored nowhere.
pub(super) fn keep(
    issuer: &Issuer,
    place: &Place,
    hold: &dyn Hold,
    intent: &Intent,
    grant: &Grant,
) -> Result<(), Refusal> {
    let admitted = admit::signed_in(issuer, grant, &intent.to);
    if let Err(Refusal::Ended(_)) = &admitted {
        place.pending::<Pending>().remove()?;
        place.polled().remove()?;
        journal::clear(&place.journal())?;
    }
    let grant = admitted?;
    let profile = issuer.profile;
    commit(
        profile,
        hold,
        intent,
        &Change::SignedIn { grant: &grant, by: &intent.to, at: intent.at },
    )?;
    rules::pin(profile, place)?;
    place.signed_in().save(&clock::timestamp().to_string())?;
    Ok(place.forget()?)
}

/// For the person who may have approved already.
const CUT_OFF: &str = "asking whether this code is approved was cut off; if you have approved it and nothing happens, \
                       sign in again";

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
