//! One sign-in: continues the pending sign-in, or starts one and records it before it is shown; waits for the approval;
//! exchanges the code and stores the login.

use crate::account_policy;
use crate::audit::{self, Action};
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::callback::{Bound, Callback};
use crate::oauth::device::Approval;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::pending_sign_in::{
    AuthorizationCode, AuthorizationRequest, PendingSignIn, SignInRequest,
};
use crate::profile::Profile;
use crate::renewal::approval::{Attempt, Event};
use crate::renewal::commit::{commit_sign_in, hold, lock_deadline};
use crate::renewal::process::begin_exchange;
use crate::renewal::recover::{LeftSignIn, recover_renewal, recover_sign_in};
use crate::renewal::renewal_request::Validity;
use crate::renewal::server::AuthorizationServer;
use crate::renewal::store_answer::until_recorded_or_stored;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::HeldLogin;
use crate::storage::codex_config::LoginMethod;
use crate::storage::journal::{Intent, RequestKind};
use crate::storage::watch::watch;
use crate::tokens::TokenResponse;
use crate::trace;
use crate::ui::SignInWay;
use std::slice;
use std::sync::mpsc;

/// Signs in. The caller holds the sign-in lock. `reason` tells the user why there is something to approve.
pub(super) fn sign_in(
    profile: &Profile,
    unless: Option<Validity>,
    reason: Option<String>,
    way: SignInWay,
) -> Result<()> {
    if let Some(error) = profile.storage.shared().read_only_error()? {
        return Err(error);
    }
    let left = recover_killed(profile)?;
    if left == LeftSignIn::Committed {
        return Ok(());
    }
    let result = ask(profile, unless, reason, way, left == LeftSignIn::CutOff);
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
    way: SignInWay,
    is_cut_off: bool,
) -> Result<()> {
    // The user is not asked for what would be refused.
    account_policy::check_method(profile, LoginMethod::ChatGpt)?;
    let (sender, events) = mpsc::channel();
    let changed = sender.clone();
    watch(&profile.watched()?, move || changed.send(Event::Changed).is_ok())?;
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
    let attempt = Attempt { profile, server, dir, unless, is_cut_off, sender, events };
    let joined = attempt.join(way)?;
    let is_joined = joined.is_some();
    let (pending, callback) = joined.map_or_else(|| attempt.start(way, reason), Ok)?;
    trace::tell(|| trace::Event::PendingSignIn {
        joined: is_joined,
        expires_at: pending.verification.expires_at,
    });
    let result = attempt.complete(pending);
    if let Some(callback) = callback {
        callback.finish(result.as_ref().err());
    }
    result
}

impl Attempt<'_> {
    /// Returns the pending sign-in that another process started, with the listener for its browser. `None` if there is none
    /// that this process can continue.
    fn join(&self, way: SignInWay) -> Result<Option<(PendingSignIn, Option<Callback>)>> {
        let pending = self.dir.pending().load()?;
        let usable = pending.filter(|it| it.is_usable(&self.profile.client, clock::now()));
        let Some(mut pending) = usable else { return Ok(None) };
        if self.poll_was_cut_off(&pending)? {
            pending.verification.reason = Some(POLL_CUT_OFF.into());
            self.save(&pending)?;
        }
        let mut callback = None;
        if let (Some(SignInRequest::Browser(request)), None) = (&pending.request, &pending.approval)
        {
            match Bound::at_first_of(slice::from_ref(&request.redirect_uri)) {
                Ok(bound) => callback = Some(self.serve(bound, &pending, request)?),
                // The answer can be pasted.
                Err(_) if way == SignInWay::Paste => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(Some((pending, callback)))
    }

    /// Starts a sign-in, and records it before it is shown.
    fn start(
        &self,
        way: SignInWay,
        reason: Option<String>,
    ) -> Result<(PendingSignIn, Option<Callback>)> {
        // The user is not asked for a login that could not be stored.
        hold(self.profile)?.probe()?;
        let (mut pending, bound) = match way {
            SignInWay::Device => (self.server.start().map_err(with_other_ways)?, None),
            SignInWay::Browser | SignInWay::Paste => {
                let uris = self.server.redirect_uris();
                let bound = match Bound::at_first_of(&uris) {
                    Ok(bound) => Some(bound),
                    Err(_) if way == SignInWay::Paste => None,
                    Err(error) => return Err(error),
                };
                let uri = bound.as_ref().map_or(&uris[0], |bound| &bound.redirect_uri).clone();
                (self.server.start_in_browser(uri)?, bound)
            }
        };
        pending.verification.reason = reason;
        pending.rules = account_policy::rules(self.profile);
        self.save(&pending)?;
        let callback = match (bound, &pending.request) {
            (Some(bound), Some(SignInRequest::Browser(request))) => {
                Some(self.serve(bound, &pending, request)?)
            }
            _ => None,
        };
        Ok((pending, callback))
    }

    fn serve(
        &self,
        bound: Bound,
        pending: &PendingSignIn,
        request: &AuthorizationRequest,
    ) -> Result<Callback> {
        let events = self.sender.clone();
        bound.serve(request, &pending.issuer, move |answer| {
            drop(events.send(Event::Answered(answer)));
        })
    }

    /// Waits for the approval, and stores the login that it brings.
    fn complete(&self, pending: PendingSignIn) -> Result<()> {
        let approved = match pending.approval.clone() {
            Some(code) => Some((Approval::Code(code), begin_exchange())),
            None => self.wait(&pending)?,
        };
        let Some((approval, _exchange)) = approved else { return self.dir.cancel().map(drop) };
        match approval {
            Approval::Code(code) => self.exchange(pending, &code),
            Approval::Tokens(tokens) => self.receive(&pending, &tokens),
        }
    }

    fn exchange(&self, mut pending: PendingSignIn, approval: &AuthorizationCode) -> Result<()> {
        self.check_not_cancelled(&pending)?;
        // From here on a new process exchanges the code, and does not wait for another one.
        pending.approval = Some(approval.clone());
        self.save(&pending)?;
        let hold = hold(self.profile)?;
        hold.probe()?;
        self.check_not_cancelled(&pending)?;
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
                self.dir.pending().remove()?;
                Err(if self.is_cut_off { lost(&error) } else { error })
            }
        }
    }

    /// Stores the tokens that a poll brought. They are on disk before this process waits for a lock.
    fn receive(&self, pending: &PendingSignIn, tokens: &TokenResponse) -> Result<()> {
        let intent = self.intent(pending);
        let record = || self.profile.storage.begin(&self.dir, &intent)?.answer(tokens);
        let store = || self.commit(&*hold(self.profile)?, pending, &intent, tokens);
        Ok(until_recorded_or_stored(record, store)?)
    }

    /// Stores the login, or revokes it if the user has cancelled the sign-in.
    fn commit(
        &self,
        hold: &dyn HeldLogin,
        pending: &PendingSignIn,
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

    /// The login is judged by the rules of the request that started the sign-in.
    fn intent(&self, pending: &PendingSignIn) -> Intent {
        let stored = self.profile.storage.load().ok().flatten();
        // A storage keeps the later sign-in. This one is later than the stored one, however the clocks were set.
        let after = stored.as_ref().map_or(0, |login| login.signed_in_at.saturating_add(1));
        Intent {
            request: RequestKind::SignIn,
            replaces: stored.map(|login| login.fingerprint()),
            to: self.profile.client.clone(),
            rules: pending.rules.clone(),
            at: clock::now().max(after),
            nonce: match &pending.request {
                Some(SignInRequest::Browser(request)) => request.nonce.clone(),
                _ => None,
            },
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

/// Names the ways to sign in that need no device code.
fn with_other_ways(error: Error) -> Error {
    if error.kind != Kind::DeviceLoginDisabled {
        return error;
    }
    let before = error.hint.clone().map_or_else(String::new, |hint| format!("{hint}; or "));
    let how =
        "with a browser on this machine (with --paste in place of --browser for one elsewhere)";
    error.run(&format!("{before}{how}"), "codex-credential login --browser")
}
