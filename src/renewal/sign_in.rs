//! The device login inside a renewal: joins the one that is pending, or starts one and records it before it is
//! shown; polls until it is approved, denied, expired, cancelled, or no longer needed.

use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::oauth::device::{
    AuthorizationCode, DeviceAuthorization, PollResponse, PollStep, Polling, expired,
};
use crate::oauth::token_endpoint::TokenOutcome;
use crate::policy;
use crate::renewal::refresh::refresh;
use crate::renewal::request::Goal;
use crate::renewal::retry::until_one_holds;
use crate::renewal::server::AuthorizationServer;
use crate::renewal::session::{Session, Way, cancelled, hold, keep, lock_patience, recover};
use crate::storage::journal::{Intent, Request};
use crate::storage::records::Record;
use crate::storage::shared;
use crate::storage::watch::watch;
use crate::tokens::{Fingerprint, TokenResponse};
use crate::trace::{self, Event};
use serde_json::json;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Between two tries to renew the stored login while a person signs in anew.
const UPKEEP: Duration = Duration::from_secs(60);

struct SignIn<'a> {
    session: &'a Session<'a>,
    issuer: AuthorizationServer<'a>,
    record: Record<DeviceAuthorization>,
    /// The device code of a poll whose answer is not known, where a second answer may not come.
    polled: Record<Fingerprint>,
    changes: Receiver<()>,
}

/// `reason` tells the person why there is something to approve.
pub(super) fn sign_in(session: &Session, reason: Option<String>) -> Result<()> {
    let result = ask(session, reason);
    if let Err(error) = &result {
        audit::note(session.profile, Action::SignIn, None, Some(error));
    }
    result
}

fn ask(session: &Session, reason: Option<String>) -> Result<()> {
    // Before a person is asked for what would be refused.
    policy::check_method(session.profile)?;
    let (sender, changes) = mpsc::channel();
    watch(&session.profile.watched(&session.login_dir), move || sender.send(()).is_ok());
    let _ = shared::catch_up(session.profile.storage.shared());
    let signed_in = session.login_dir.signed_in();
    let before = signed_in.load()?;
    let is_needed = || {
        // On another host, meanwhile.
        let is_other = signed_in.load()? != before;
        Ok(!(is_other || session.order.goal != Goal::SignIn && session.is_satisfied()?))
    };
    let shared = session.profile.storage.shared();
    let Some(_lock) = shared::lock_sign_in(shared, &is_needed)? else { return Ok(()) };
    let (record, polled) = (session.login_dir.pending(), session.login_dir.polled());
    let issuer = session.issuer()?;
    let sign_in = SignIn { session, issuer, record, polled, changes };
    let (pending, joined) = sign_in.join_or_start(reason)?;
    trace::tell(|| Event::DeviceAuthorization {
        joined,
        expires_at: pending.verification.expires_at,
    });
    let answer = match pending.approval.clone() {
        Some(approval) => Answer::Approved(approval),
        None => sign_in.wait_for_approval(&pending)?,
    };
    match answer {
        Answer::Approved(approval) => sign_in.exchange(pending, &approval),
        Answer::Granted(tokens) => sign_in.receive(&tokens),
        Answer::NotNeeded => sign_in.record.remove(),
    }
}

/// What the waiting came to.
enum Answer {
    /// A code, to be exchanged.
    Approved(AuthorizationCode),
    /// The tokens themselves.
    Granted(TokenResponse),
    /// The login that was needed is there by other means.
    NotNeeded,
}

impl SignIn<'_> {
    /// And whether it was there.
    fn join_or_start(&self, reason: Option<String>) -> Result<(DeviceAuthorization, bool)> {
        let issuer = &self.session.profile.client;
        if let Some(mut pending) = self.record.load()?
            && pending.is_usable(issuer, clock::now())
        {
            if self.was_polled(&pending)? {
                pending.verification.reason = Some(CUT_OFF.into());
                self.save(&pending)?;
            }
            return Ok((pending, true));
        }
        // A login that could not be kept is asked of nobody.
        hold(self.session.profile)?.probe()?;
        let mut pending = self.issuer.start()?;
        pending.verification.reason = reason;
        pending.is_needed = !self.has_another_login();
        self.save(&pending)?;
        Ok((pending, false))
    }

    /// On all hosts that share the storage before it is shown here.
    fn save(&self, pending: &DeviceAuthorization) -> Result<()> {
        if let Some(shared) = self.session.profile.storage.shared() {
            shared.publish_pending(&json!(pending), &pending.verification)?;
        }
        self.record.save(pending)
    }

    /// Whether those who need a token can be served while a person signs in anew.
    fn has_another_login(&self) -> bool {
        self.session.order.goal == Goal::SignIn
            && self.session.profile.storage.load().is_ok_and(|login| login.is_some())
    }

    fn was_polled(&self, pending: &DeviceAuthorization) -> Result<bool> {
        let polled = self.polled.load()?;
        Ok(polled.is_some_and(|polled| polled == pending.device_code.fingerprint()))
    }

    fn wait_for_approval(&self, pending: &DeviceAuthorization) -> Result<Answer> {
        let mut pace = Polling::new(pending.interval);
        if self.was_polled(pending)? {
            pace = pace.after_unknown();
        }
        let mut pause = pace.interval();
        let mut upkeep = Deadline::after(Duration::ZERO);
        loop {
            if self.has_another_login()
                && upkeep.is_over()
                && !self.session.is_satisfied().unwrap_or(true)
            {
                // Those who need a token now are not kept waiting for a person.
                let pause = self.renew_meanwhile().err().and_then(|error| error.retry_after);
                upkeep = Deadline::after(UPKEEP.max(Duration::from_secs(pause.unwrap_or(0))));
            }
            if self.sleep(pending, pause)? == Awake::NotNeeded {
                return Ok(Answer::NotNeeded);
            }
            match pace.next_step(self.poll(pending)?) {
                PollStep::Wait(next) => pause = next,
                PollStep::Exchange(approval) => return Ok(Answer::Approved(approval)),
                PollStep::Store(tokens) => return Ok(Answer::Granted(tokens)),
                PollStep::Fail(error) => {
                    self.record.remove()?;
                    return Err(error);
                }
            }
        }
    }

    /// What the last try left goes before: an answer that waits to be stored is not asked for once more.
    fn renew_meanwhile(&self) -> Result<()> {
        let left = recover(self.session.profile, &self.session.login_dir, &lock_patience())?;
        refresh(self.session, left.as_ref()).map(drop)
    }

    /// Where a success is answered once alone, that the question was asked is on disk before, and until the answer is
    /// known.
    fn poll(&self, pending: &DeviceAuthorization) -> Result<PollResponse> {
        if !self.issuer.polls_once() {
            return Ok(self.issuer.poll(pending));
        }
        self.polled.save(&pending.device_code.fingerprint())?;
        let poll = self.issuer.poll(pending);
        if !matches!(poll, PollResponse::NoResponse | PollResponse::Tokens(_)) {
            self.polled.remove()?;
        }
        Ok(poll)
    }

    /// Sleeps for `pause`, but not past the end of the code, of the record, or of the need for it.
    fn sleep(&self, pending: &DeviceAuthorization, pause: Duration) -> Result<Awake> {
        let pause = Deadline::after(pause);
        let mut may_have_changed = true;
        loop {
            if clock::now() >= pending.verification.expires_at {
                self.record.remove()?;
                return Err(expired());
            }
            let recorded = self.record.load()?.map(|recorded| recorded.verification.user_code);
            if recorded.as_ref() != Some(&pending.verification.user_code) {
                return Err(cancelled());
            }
            let may_be_enough = may_have_changed && self.session.order.goal != Goal::SignIn;
            if may_be_enough && self.session.is_satisfied().unwrap_or(false) {
                return Ok(Awake::NotNeeded);
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
        mut pending: DeviceAuthorization,
        approval: &AuthorizationCode,
    ) -> Result<()> {
        // From here on a new process must exchange, not poll.
        pending.approval = Some(approval.clone());
        self.save(&pending)?;
        let Way::Free(cut_off) = self.session.clear_the_way()? else { return Ok(()) };
        let hold = hold(self.session.profile)?;
        let intent = self.intent();
        let mut journal = hold.begin(&intent)?.ok_or_else(cancelled)?;
        match self.issuer.exchange(&pending, approval) {
            TokenOutcome::Tokens(tokens) => {
                let store =
                    || keep(&self.issuer, &self.session.login_dir, &*hold, &intent, &tokens);
                Ok(until_one_holds(|| journal.answer(&tokens), store)?)
            }
            TokenOutcome::NotProcessed(error) => {
                journal.clear()?;
                Err(error)
            }
            TokenOutcome::Unknown(error) => Err(error),
            TokenOutcome::InvalidGrant { error, .. } => {
                journal.clear()?;
                self.record.remove()?;
                let was_cut_off = cut_off.is_some_and(|left| left.request == Request::SignIn);
                Err(if was_cut_off { lost(&error) } else { error })
            }
        }
    }

    /// The poll itself brought the tokens: on disk with them, before anything else is done.
    fn receive(&self, tokens: &TokenResponse) -> Result<()> {
        let hold = hold(self.session.profile)?;
        let intent = self.intent();
        let note = || hold.begin(&intent)?.ok_or_else(cancelled)?.answer(tokens);
        let store = || keep(&self.issuer, &self.session.login_dir, &*hold, &intent, tokens);
        Ok(until_one_holds(note, store)?)
    }

    fn intent(&self) -> Intent {
        let profile = self.session.profile;
        Intent {
            request: Request::SignIn,
            replaces: profile.storage.fingerprint(),
            to: profile.client.clone(),
            at: clock::now(),
        }
    }
}

/// For the person who may have approved already.
const CUT_OFF: &str = "asking whether this code is approved was cut off; if you have approved it and nothing happens, \
                       sign in again";

#[derive(PartialEq)]
enum Awake {
    TimeToPoll,
    NotNeeded,
}

fn lost(error: &Error) -> Error {
    Error::new(
        Kind::LoginRequired,
        format!(
            "the sign-in was cut off before its answer arrived and cannot be taken up ({})",
            error.text()
        ),
    )
    .sign_in_again()
}
