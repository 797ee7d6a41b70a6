//! One sign-in: continues the pending sign-in, or starts one and records it before it is shown; waits for the approval;
//! exchanges the code and stores the login.

use crate::account_policy;
use crate::audit::{self, Action};
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::oauth::device::Approval;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::pending_sign_in::{AuthorizationCode, PendingSignIn};
use crate::profile::Profile;
use crate::renewal::approval::Attempt;
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
use crate::trace::{self, Event};
use std::sync::mpsc;

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
    let attempt = Attempt { profile, server, dir, unless, is_cut_off, changes };
    let (pending, joined) = attempt.join_or_start(reason)?;
    trace::tell(|| Event::PendingSignIn { joined, expires_at: pending.verification.expires_at });
    let approved = match pending.approval.clone() {
        Some(code) => Some((Approval::Code(code), begin_exchange())),
        None => attempt.wait(&pending)?,
    };
    let Some((approval, _exchange)) = approved else { return attempt.dir.cancel().map(drop) };
    match approval {
        Approval::Code(code) => attempt.exchange(pending, &code),
        Approval::Tokens(tokens) => attempt.receive(&pending, &tokens),
    }
}

impl Attempt<'_> {
    /// Returns the pending sign-in, and whether another process had started it.
    fn join_or_start(&self, reason: Option<String>) -> Result<(PendingSignIn, bool)> {
        if let Some(mut pending) = self.dir.pending().load()?
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
