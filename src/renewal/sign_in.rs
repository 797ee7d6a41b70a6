//! One sign-in: continues the pending device authorization, or starts one and records it before it is shown; polls until
//! the user approves or denies it, it expires or is cancelled, or another program stores a login that will do.

use crate::account_policy;
use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::device_authorization::{AuthorizationCode, DeviceAuthorization};
use crate::error::{Error, Kind, Result};
use crate::oauth::device::{Approval, PollResponse, Polling, expired};
use crate::oauth::token_endpoint::TokenOutcome;
use crate::profile::Profile;
use crate::renewal::commit::{cancelled, commit_sign_in, hold, lock_deadline};
use crate::renewal::process::{Exchange, begin_exchange};
use crate::renewal::recover::{LeftSignIn, recover_renewal, recover_sign_in};
use crate::renewal::renewal_request::Validity;
use crate::renewal::server::AuthorizationServer;
use crate::renewal::store_answer::until_recorded_or_stored;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::HeldLogin;
use crate::storage::codex_config::LoginMethod;
use crate::storage::journal::{Intent, RequestKind};
use crate::storage::login_dir::LoginDir;
use crate::storage::watch::watch;
use crate::tokens::TokenResponse;
use crate::trace::{self, Event};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

struct SignIn<'a> {
    profile: &'a Profile,
    server: AuthorizationServer<'a>,
    dir: LoginDir,
    /// The sign-in ends early when the stored login meets it.
    unless: Option<Validity>,
    /// An earlier exchange was cut off.
    is_cut_off: bool,
    changes: Receiver<()>,
}

#[derive(PartialEq)]
enum Awake {
    TimeToPoll,
    NotNeeded,
}

/// Signs in. The caller holds the sign-in lock. `reason` tells the user why there is something to approve.
pub(super) fn sign_in(
    profile: &Profile,
    unless: Option<Validity>,
    reason: Option<String>,
) -> Result<()> {
    if let Some(error) = profile.storage.shared().read_only_error()? {
        return Err(error);
    }
    let left = recover_killed(profile)?;
    if left == LeftSignIn::Committed {
        return Ok(());
    }
    let result = ask(profile, unless, reason, left == LeftSignIn::CutOff);
    if let Err(error) = &result {
        audit::note(profile, Action::SignIn, None, Some(error));
    }
    result
}

/// Commits what killed processes left, before the user is asked. Returns what a killed sign-in left. An answer that can never
/// be stored does not keep the user from signing in.
fn recover_killed(profile: &Profile) -> Result<LeftSignIn> {
    let left = match recover_sign_in(profile, &lock_deadline()) {
        Ok(LeftSignIn::Committed) => return Ok(LeftSignIn::Committed),
        Ok(left) => left,
        Err(error) if error.advises_sign_in() => {
            profile.storage.end_sign_in()?;
            LeftSignIn::Nothing
        }
        Err(error) => return Err(error),
    };
    match recover_renewal(profile, &lock_deadline()) {
        Err(error) if !error.advises_sign_in() => Err(error),
        _ => Ok(left),
    }
}

fn ask(
    profile: &Profile,
    unless: Option<Validity>,
    reason: Option<String>,
    is_cut_off: bool,
) -> Result<()> {
    // The user is not asked for what would be refused.
    account_policy::check_method(profile, LoginMethod::ChatGpt)?;
    let (sender, changes) = mpsc::channel();
    watch(&profile.watched()?, move || sender.send(()).is_ok())?;
    let _ = profile.storage.shared().catch_up();
    let dir = profile.storage.sign_in_dir();
    let before = dir.signed_in().load()?;
    let is_needed = || {
        if dir.signed_in().load()? != before {
            // Another host has signed in.
            return Ok(false);
        }
        unless.map_or(Ok(true), |validity| validity.is_met(profile).map(|is_met| !is_met))
    };
    let Some(_lock) = profile.storage.shared().lock_sign_in(&is_needed)? else {
        return Ok(());
    };
    let server = AuthorizationServer::new(profile)?;
    let sign_in = SignIn { profile, server, dir: dir.clone(), unless, is_cut_off, changes };
    let (pending, joined) = sign_in.join_or_start(reason)?;
    trace::tell(|| Event::DeviceAuthorization {
        joined,
        expires_at: pending.verification.expires_at,
    });
    let approved = match pending.approval.clone() {
        Some(code) => Some((Approval::Code(code), begin_exchange())),
        None => sign_in.wait_for_approval(&pending)?,
    };
    let Some((approval, _exchange)) = approved else { return sign_in.dir.cancel().map(drop) };
    match approval {
        Approval::Code(code) => sign_in.exchange(pending, &code),
        Approval::Tokens(tokens) => sign_in.receive(&pending, &tokens),
    }
}

impl SignIn<'_> {
    /// Returns the pending device authorization, and whether another process had started it.
    fn join_or_start(&self, reason: Option<String>) -> Result<(DeviceAuthorization, bool)> {
        if let Some(mut pending) = self.dir.device_authorization().load()?
            && pending.is_usable(&self.profile.client, clock::now())
        {
            if self.poll_was_cut_off(&pending)? {
                pending.verification.reason = Some(POLL_CUT_OFF.into());
                self.save(&pending)?;
            }
            return Ok((pending, true));
        }
        // The user is not asked for a login that could not be stored.
        hold(self.profile)?.probe()?;
        let mut pending = self.server.start()?;
        pending.verification.reason = reason;
        pending.rules = account_policy::rules(self.profile);
        self.save(&pending)?;
        Ok((pending, false))
    }

    /// Saves it on all hosts that share the storage, before it is shown on this one.
    fn save(&self, pending: &DeviceAuthorization) -> Result<()> {
        self.profile.storage.shared().publish_pending(pending)?;
        self.dir.device_authorization().save(pending)
    }

    /// Whether the last poll was sent and its answer is not known.
    fn poll_was_cut_off(&self, pending: &DeviceAuthorization) -> Result<bool> {
        let polled = self.dir.polled().load()?;
        Ok(polled.is_some_and(|polled| polled == pending.device_code.fingerprint()))
    }

    /// Polls until the user approves. Returns the approval with the exchange that ends when its tokens are recorded;
    /// `None` if another program has stored a login that will do.
    fn wait_for_approval(
        &self,
        pending: &DeviceAuthorization,
    ) -> Result<Option<(Approval, Exchange)>> {
        let mut polling = Polling::new(pending.interval);
        if self.poll_was_cut_off(pending)? {
            polling = polling.after_unknown();
        }
        loop {
            if self.sleep(pending, polling.pause())? == Awake::NotNeeded {
                return Ok(None);
            }
            // Where a poll brings tokens, it is the exchange.
            let exchange = begin_exchange();
            match polling.next_step(self.poll(pending)?) {
                Ok(None) => {}
                Ok(Some(approval)) => return Ok(Some((approval, exchange))),
                Err(error) => {
                    self.dir.device_authorization().remove()?;
                    return Err(error);
                }
            }
        }
    }

    /// Polls once. Where a success is answered only once (RFC 8628), the poll is on disk before it is sent and until its
    /// answer is known.
    fn poll(&self, pending: &DeviceAuthorization) -> Result<PollResponse> {
        if !self.server.returns_tokens_once() {
            return Ok(self.server.poll(pending));
        }
        self.dir.polled().save(&pending.device_code.fingerprint())?;
        let poll = self.server.poll(pending);
        if !matches!(poll, PollResponse::NoResponse | PollResponse::Approved(_)) {
            self.dir.polled().remove()?;
        }
        Ok(poll)
    }

    /// Sleeps for `pause`, but not past the end of the code, its cancellation, or the need for it.
    fn sleep(&self, pending: &DeviceAuthorization, pause: Duration) -> Result<Awake> {
        let pause = Deadline::after(pause);
        let mut may_have_changed = true;
        loop {
            let record = self.dir.device_authorization();
            if clock::now() >= pending.verification.expires_at {
                record.remove()?;
                return Err(expired());
            }
            self.check_not_cancelled(pending)?;
            if may_have_changed
                && let Some(validity) = self.unless
                && validity.is_met(self.profile).unwrap_or(false)
            {
                return Ok(Awake::NotNeeded);
            }
            if pause.is_over() {
                return Ok(Awake::TimeToPoll);
            }
            let tick = pause.remaining().min(Duration::from_secs(1));
            may_have_changed = self.changes.recv_timeout(tick).is_ok();
        }
    }

    /// Cancelling removes the record.
    fn check_not_cancelled(&self, pending: &DeviceAuthorization) -> Result<()> {
        let recorded = self.dir.device_authorization().load()?;
        let is_recorded =
            recorded.is_some_and(|it| it.verification.user_code == pending.verification.user_code);
        if is_recorded { Ok(()) } else { Err(cancelled()) }
    }

    fn exchange(
        &self,
        mut pending: DeviceAuthorization,
        approval: &AuthorizationCode,
    ) -> Result<()> {
        let hold = hold(self.profile)?;
        hold.probe()?;
        self.check_not_cancelled(&pending)?;
        // From here on a new process exchanges the code, and does not poll.
        pending.approval = Some(approval.clone());
        self.save(&pending)?;
        let intent = self.intent(&pending);
        let mut journal = self.profile.storage.begin(&self.dir, &intent)?;
        match self.server.exchange(&pending, approval) {
            TokenOutcome::Tokens(tokens) => {
                let store = || self.commit(&*hold, &pending, &intent, &tokens);
                Ok(until_recorded_or_stored(|| journal.answer(&tokens), store)?)
            }
            TokenOutcome::NotProcessed(error) | TokenOutcome::Refused(error) => {
                journal.clear()?;
                Err(error)
            }
            TokenOutcome::Unknown(error) => Err(error),
            TokenOutcome::InvalidGrant { error, .. } => {
                journal.clear()?;
                self.dir.device_authorization().remove()?;
                Err(if self.is_cut_off { lost(&error) } else { error })
            }
        }
    }

    /// Stores the tokens that a poll brought. They are on disk before this process waits for a lock.
    fn receive(&self, pending: &DeviceAuthorization, tokens: &TokenResponse) -> Result<()> {
        let intent = self.intent(pending);
        let record = || self.profile.storage.begin(&self.dir, &intent)?.answer(tokens);
        let store = || self.commit(&*hold(self.profile)?, pending, &intent, tokens);
        Ok(until_recorded_or_stored(record, store)?)
    }

    /// Stores the login, or revokes it if the user has cancelled the sign-in.
    fn commit(
        &self,
        hold: &dyn HeldLogin,
        pending: &DeviceAuthorization,
        intent: &Intent,
        tokens: &TokenResponse,
    ) -> Result<(), ValidationError> {
        if let Err(error) = self.check_not_cancelled(pending) {
            let ended = validate::revoked(&self.server, tokens, &intent.to, error);
            self.profile.storage.end_sign_in()?;
            return Err(ended);
        }
        if commit_sign_in(&self.server, hold, intent, tokens)? {
            return Ok(());
        }
        let what = "another program has stored a login during the sign-in";
        let error = Error::new(Kind::LoginCancelled, what)
            .run("to see who is signed in", "codex-credential status");
        Err(validate::revoked(&self.server, tokens, &intent.to, error))
    }

    /// The login is judged by the rules of the request that started the device authorization.
    fn intent(&self, pending: &DeviceAuthorization) -> Intent {
        Intent {
            request: RequestKind::SignIn,
            replaces: self.profile.storage.fingerprint(),
            to: self.profile.client.clone(),
            rules: pending.rules.clone(),
            at: clock::now(),
            is_offered: false,
        }
    }
}

const POLL_CUT_OFF: &str = "a poll for your approval of this code was cut off; if you have approved it and nothing \
                            happens, sign in again";

fn lost(error: &Error) -> Error {
    let what = "the sign-in was cut off before its answer arrived and cannot be continued";
    Error::new(Kind::LoginRequired, format!("{what} ({})", error.text())).sign_in_again()
}
