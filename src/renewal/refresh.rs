//! One refresh request: record the intent, send the request, record the answer, commit it.

use crate::account_policy;
use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::profile::Profile;
use crate::renewal::commit::{commit, lock_deadline, not_signed_in, write_deadline};
use crate::renewal::process::begin_exchange;
use crate::renewal::recover::{hold_to_renew, note_superseded};
use crate::renewal::renewal_request::Validity;
use crate::renewal::server::AuthorizationServer;
use crate::renewal::store_answer::until_recorded_or_stored;
use crate::renewal::validate::{self, ValidationError, expired_on_arrival};
use crate::storage::codex_home::CodexHome;
use crate::storage::journal::{self, Intent, Journal, RequestKind};
use crate::storage::login_dir::LoginDir;
use crate::storage::records::{InvalidToken, Refusals};
use crate::storage::watch::watch;
use crate::storage::{Change, HeldLogin};
use crate::tokens::{Secret, TokenResponse};
use crate::urls::host;
use std::sync::mpsc;
use std::time::Duration;

/// How long another program has to store the login that made ours stale. Shorter than a caller's default `--wait`, so that
/// the caller hears the result.
const ADOPTION_PATIENCE: Duration = Duration::from_secs(3);

/// What a refresh came to.
pub(super) enum Refreshed {
    Done,
    /// There is no refresh token that could still be valid.
    Impossible(Error),
    /// Another program has stored a login. Read it again.
    Superseded,
}

/// What to do after the answer of the token endpoint.
enum Next {
    Commit(TokenResponse),
    /// The refresh token was not used: forget the request.
    Forget(Error),
    /// As `Forget`; the refresh token may be invalid, which the server does not say.
    Refused(Error),
    /// The refresh token may have been used: keep the intent, which explains a later refusal.
    Keep(Error),
    /// The refresh token is invalid for good. Another program may store a login within `patience`.
    Invalid {
        reason: String,
        patience: Duration,
    },
}

/// Sends the refresh token of the stored login once and commits the answer. A token that the issuer has refused for good is
/// not sent. `unanswered` is an earlier request whose answer is not known. The caller holds the renewal lock of `login_dir`.
pub(super) fn refresh(
    profile: &Profile,
    login_dir: &LoginDir,
    validity: Validity,
    unanswered: Option<&Intent>,
) -> Result<Refreshed> {
    let server = AuthorizationServer::new(profile)?;
    let hold = hold_to_renew(profile, &lock_deadline())?;
    if profile.storage.login_dir()?.as_ref() != Some(login_dir) {
        return Ok(Refreshed::Superseded);
    }
    let Some(login) = profile.storage.load()? else {
        return Ok(Refreshed::Impossible(not_signed_in()));
    };
    if validity.is_met_by(profile, &login)? {
        return Ok(Refreshed::Done);
    }
    let Some(refresh_token) = &login.refresh_token else {
        return Ok(Refreshed::Impossible(no_refresh_token(profile)));
    };
    if let Some(invalid) = InvalidToken::of(profile, &login)? {
        // It was put back just now.
        if journal::restore_kept(&login_dir.journal(), Some(&login.fingerprint()))? {
            return Ok(Refreshed::Superseded);
        }
        return Ok(Refreshed::Impossible(invalid.error()));
    }
    server.prepare()?;
    let unanswered = unanswered.filter(|intent| intent.replaces == Some(login.fingerprint()));
    let intent = intent(profile, &login, unanswered)?;
    // Another host may have used this refresh token.
    if let Some(error) = hold.other_host_error()
        && hold.waits_for_other_host()
        && login.lifetime().covers(0, clock::now())
        && !login_dir.has_rejected(&login.access_token)
    {
        return Err(error);
    }
    let _exchange = begin_exchange();
    let Some(journal) = hold.begin_refresh(&intent)? else { return Ok(Refreshed::Superseded) };
    let outcome = server.refresh(&intent.to, refresh_token);
    if let Some(error) = outcome.error() {
        audit::note(profile, Action::Renewal, Some(&login), Some(error));
    }
    let request = Answered { profile, login_dir, server: &server, login: &login, refresh_token };
    let other_host = hold.other_host_error();
    let forget = |journal: Journal| match unanswered {
        // An earlier request whose answer is not known stays recorded: it explains a later refusal.
        Some(_) => Ok(()),
        None => hold.close_request(None).and_then(|()| journal.clear()),
    };
    match next(outcome, unanswered.map(|intent| intent.at), other_host.as_ref()) {
        Next::Commit(tokens) => request.store(&*hold, journal, &intent, &tokens),
        Next::Forget(error) => {
            forget(journal)?;
            Err(error)
        }
        Next::Refused(error) => {
            forget(journal)?;
            Err(Refusals::count(login_dir, refresh_token, error))
        }
        Next::Keep(error) => Err(error),
        Next::Invalid { reason, patience } => {
            request.after_refusal(hold, journal, reason, patience)
        }
    }
}

fn intent(profile: &Profile, login: &Login, unanswered: Option<&Intent>) -> Result<Intent> {
    let to = profile.registration_of(login)?;
    // Fails now, before the request, if this token may be sent nowhere.
    profile.token_endpoint(&to)?;
    Ok(Intent {
        request: RequestKind::Refresh,
        replaces: Some(login.fingerprint()),
        to,
        rules: account_policy::rules(profile),
        // Messages name the first request without an answer.
        at: unanswered.map_or_else(clock::now, |intent| intent.at),
        nonce: None,
        is_offered: false,
    })
}

/// Decides what follows from the answer. `unanswered_at` is when an earlier request was sent whose answer is not known; `other_host`
/// tells of a host that may have used the refresh token.
fn next(outcome: TokenOutcome, unanswered_at: Option<i64>, other_host: Option<&Error>) -> Next {
    match outcome {
        TokenOutcome::Tokens(tokens) => Next::Commit(tokens),
        TokenOutcome::NotProcessed(error) => Next::Forget(error),
        TokenOutcome::Refused(error) => Next::Refused(error),
        TokenOutcome::Unknown(error) => Next::Keep(error),
        TokenOutcome::InvalidGrant { error, may_be_used } => {
            let mut reason = end_of_login(&error, unanswered_at);
            if let Some(other_host) = other_host {
                reason = format!("{reason}: {}", other_host.text());
            }
            let patience = if may_be_used { ADOPTION_PATIENCE } else { Duration::ZERO };
            Next::Invalid { reason, patience }
        }
    }
}

/// A refresh request that was answered.
struct Answered<'a> {
    profile: &'a Profile,
    login_dir: &'a LoginDir,
    server: &'a AuthorizationServer<'a>,
    login: &'a Login,
    refresh_token: &'a Secret<String>,
}

impl Answered<'_> {
    fn store(
        &self,
        hold: &dyn HeldLogin,
        mut journal: Journal,
        intent: &Intent,
        tokens: &TokenResponse,
    ) -> Result<Refreshed> {
        let store = || {
            InvalidToken::record_spent(self.login_dir, self.refresh_token, tokens);
            let tokens = validate::renewed(self.server, tokens, self.login, &intent.rules)?;
            let (replaces, change) = (intent.replaces.as_ref(), Change::Renewed(&tokens));
            let deadline = write_deadline();
            let is_stored =
                commit(self.profile, hold, Action::Renewal, replaces, &change, &deadline)?;
            Ok((tokens, is_stored))
        };
        let (tokens, is_stored) = match until_recorded_or_stored(|| journal.answer(tokens), store) {
            Ok(stored) => stored,
            Err(ValidationError::NotNow(error)) => return Err(error),
            Err(ValidationError::Ended(error)) => {
                self.record_invalid(hold, error.text())?;
                journal.clear()?;
                return Err(error);
            }
        };
        if !is_stored {
            note_superseded(self.profile, &tokens, intent);
            journal.keep()?;
            return Ok(Refreshed::Superseded);
        }
        journal.clear()?;
        let _ = self.login_dir.refusals().remove();
        match Login::from_response(&tokens, &intent.to).map(|login| login.lifetime()) {
            Some(lifetime) if lifetime.covers(0, clock::now()) => Ok(Refreshed::Done),
            Some(_) => Err(expired_on_arrival()),
            None => Err(no_access_token(&self.profile.token_endpoint(&intent.to)?)),
        }
    }

    /// Records the refusal first, in case this process is killed while it waits for another program's login.
    fn after_refusal(
        &self,
        hold: Box<dyn HeldLogin + '_>,
        journal: Journal,
        reason: String,
        patience: Duration,
    ) -> Result<Refreshed> {
        let invalid = self.record_invalid(&*hold, reason)?;
        // Another program may have the answer, and wait for this lock to store it.
        drop(hold);
        let is_superseded = wait_for_other_login(self.profile, self.login, patience);
        journal.clear()?;
        if is_superseded {
            return Ok(Refreshed::Superseded);
        }
        Ok(Refreshed::Impossible(invalid.error()))
    }

    fn record_invalid(&self, hold: &dyn HeldLogin, reason: String) -> Result<InvalidToken> {
        let (profile, login_dir, login) = (self.profile, self.login_dir, self.login);
        InvalidToken::record_refused(profile, login_dir, hold, login, self.refresh_token, reason)
    }
}

/// Waits for another program to replace `login`.
fn wait_for_other_login(profile: &Profile, login: &Login, patience: Duration) -> bool {
    let deadline = Deadline::after(patience);
    let (sender, changes) = mpsc::channel();
    let report = sender.clone();
    // Without the watch, this loop looks once a second.
    let _ = watch(&profile.storage.watched(), move || report.send(()).is_ok());
    loop {
        if let Ok(Some(stored)) = profile.storage.load()
            && stored.fingerprint() != login.fingerprint()
        {
            return true;
        }
        if deadline.is_over() {
            return false;
        }
        let _ = changes.recv_timeout(deadline.remaining().min(Duration::from_secs(1)));
    }
}

fn end_of_login(error: &Error, unanswered_at: Option<i64>) -> String {
    match unanswered_at {
        Some(at) => format!(
            "the login is lost: the renewal of {} was cut off before its answer arrived, and the server had \
             already replaced the refresh token ({})",
            clock::rfc3339(at),
            error.text()
        ),
        None => format!("the login has ended: {}", error.text()),
    }
}

fn no_refresh_token(profile: &Profile) -> Error {
    let is_personal = profile.storage.as_codex().is_some_and(CodexHome::has_personal_access_token);
    let why = if is_personal { "it is a personal access token" } else { "it has no refresh token" };
    Error::new(Kind::LoginDead, format!("cannot renew the stored login: {why}")).sign_in_again()
}

fn no_access_token(url: &str) -> Error {
    Error::new(Kind::Server, format!("{} renewed the login without an access token", host(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(may_be_used: bool) -> TokenOutcome {
        TokenOutcome::InvalidGrant { error: Error::new(Kind::Server, "invalid_grant"), may_be_used }
    }

    fn invalid(next: Next) -> (String, Duration) {
        match next {
            Next::Invalid { reason, patience } => (reason, patience),
            _ => panic!("the refresh token is invalid"),
        }
    }

    #[test]
    fn a_request_that_was_not_processed_is_forgotten_and_a_lost_answer_is_not() {
        let error = || Error::new(Kind::Network, "no answer");
        assert!(matches!(next(TokenOutcome::NotProcessed(error()), None, None), Next::Forget(_)));
        assert!(matches!(next(TokenOutcome::Unknown(error()), None, None), Next::Keep(_)));
        assert!(matches!(
            next(TokenOutcome::Tokens(TokenResponse::default()), None, None),
            Next::Commit(_)
        ));
    }

    #[test]
    fn a_refusal_of_a_used_token_waits_for_the_program_that_used_it() {
        assert_eq!(invalid(next(refused(true), None, None)).1, ADOPTION_PATIENCE);
        assert_eq!(invalid(next(refused(false), None, None)).1, Duration::ZERO);
    }

    #[test]
    fn a_refusal_after_a_lost_answer_says_that_the_login_is_lost() {
        let (reason, _) = invalid(next(refused(true), Some(0), None));
        assert!(reason.starts_with("the login is lost: the renewal of 1970"), "{reason}");
        let (reason, _) = invalid(next(refused(true), None, None));
        assert_eq!(reason, "the login has ended: invalid_grant");
        let other_host = Error::new(Kind::Busy, "alpha may have the answer");
        let (reason, _) = invalid(next(refused(true), None, Some(&other_host)));
        assert!(reason.ends_with(": alpha may have the answer"), "{reason}");
    }
}
