//! One refresh: the intent on disk, one request, the answer on disk, the commit.

use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::profile::Profile;
use crate::renewal::failure::InvalidToken;
use crate::renewal::retry::until_one_holds;
use crate::renewal::session::{Session, commit, hold};
use crate::renewal::validate::{self, ValidationError};
use crate::storage::Change;
use crate::storage::journal::{Intent, Request};
use crate::storage::shared;
use crate::storage::watch::watch;
use crate::urls::host;
use std::sync::mpsc;
use std::time::Duration;

/// For another program to store the login that made ours stale. Less than callers wait by default.
const ADOPTION_PATIENCE: Duration = Duration::from_secs(3);

/// What a refresh came to.
pub(super) enum Refreshed {
    Done,
    /// There is no refresh token that could still be good.
    Impossible(Option<Error>),
    /// Another program stored a login in the meantime.
    Superseded,
}

/// Sends the stored refresh token once, if it is not known to be dead, and commits the answer.
pub(super) fn refresh(session: &Session, cut_off: Option<&Intent>) -> Result<Refreshed> {
    let profile = session.profile;
    let issuer = session.issuer()?;
    let storage = &profile.storage;
    let hold = hold(profile)?;
    let Some(login) = storage.load()? else { return Ok(Refreshed::Impossible(None)) };
    if session.satisfies(&login)? {
        return Ok(Refreshed::Done);
    }
    let Some(refresh_token) = &login.refresh_token else {
        return Ok(Refreshed::Impossible(Some(no_refresh_token())));
    };
    if let Some(dead) = InvalidToken::of(profile, &login)? {
        return Ok(Refreshed::Impossible(Some(dead.error())));
    }
    let to = profile.registration_of(&login);
    let url = profile.token_endpoint(&to)?;
    issuer.prepare()?;
    let replaces = Some(login.fingerprint());
    let cut_off = cut_off.filter(|cut_off| cut_off.replaces == replaces);
    // The first request without an answer is the one to tell of.
    let at = cut_off.map_or_else(clock::now, |cut_off| cut_off.at);
    let intent = Intent { request: Request::Refresh, replaces, to, at };
    if let Some(doubt) = shared::unanswered_request(hold.shared())
        && login.lifetime().covers(0, clock::now())
        && !session.login_dir.has_rejected(&login.access_token)?
    {
        return Err(doubt);
    }
    let Some(mut journal) = hold.begin(&intent)? else { return Ok(Refreshed::Superseded) };
    let outcome = issuer.refresh(&intent.to, refresh_token);
    if let Some(error) = outcome.error() {
        audit::note(profile, Action::Renewal, Some(&login), Some(error));
    }
    let record = |reason| InvalidToken::record(profile, &*hold, &login, refresh_token, reason);
    match outcome {
        TokenOutcome::Tokens(tokens) => {
            let store = || {
                let tokens = validate::renewed(&issuer, &tokens, &login)?;
                let kept = commit(profile, &*hold, &intent, &Change::Renewed(&tokens))?;
                Ok((tokens, kept))
            };
            let (tokens, kept) = match until_one_holds(|| journal.answer(&tokens), store) {
                Ok(stored) => stored,
                Err(ValidationError::NotNow(error)) => return Err(error),
                Err(ValidationError::Ended(error)) => {
                    record(error.text())?;
                    journal.clear()?;
                    return Err(error);
                }
            };
            journal.clear()?;
            if !kept {
                return Ok(Refreshed::Superseded);
            }
            match Login::from_response(&tokens, &intent.to).map(|login| login.lifetime()) {
                Some(life) if life.covers(0, clock::now()) => Ok(Refreshed::Done),
                Some(_) => Err(expired_on_arrival()),
                None => Err(no_access_token(&url)),
            }
        }
        TokenOutcome::NotProcessed(error) => {
            if cut_off.is_none() {
                if let Some(shared) = hold.shared() {
                    shared.close_request(None)?;
                }
                journal.clear()?;
            }
            Err(error)
        }
        TokenOutcome::Unknown(error) => Err(error),
        TokenOutcome::InvalidGrant { error, may_be_used } => {
            // Known from here on, should this process be killed while it waits.
            let reason = match shared::unanswered_request(hold.shared()) {
                Some(doubt) => format!("{}: {}", end_of_login(&error, cut_off), doubt.text()),
                None => end_of_login(&error, cut_off),
            };
            let dead = record(reason)?;
            // Another program may hold the answer and wait for this lock to store it.
            drop(hold);
            let patience = if may_be_used { ADOPTION_PATIENCE } else { Duration::ZERO };
            let is_superseded = is_superseded(profile, &login, patience);
            journal.clear()?;
            if is_superseded {
                return Ok(Refreshed::Superseded);
            }
            Ok(Refreshed::Impossible(Some(dead.error())))
        }
    }
}

/// Waits a few seconds for another program to store a login in the place of `login`.
fn is_superseded(profile: &Profile, login: &Login, patience: Duration) -> bool {
    let deadline = Deadline::after(patience);
    let (sender, changes) = mpsc::channel();
    watch(&profile.storage.watched(), move || sender.send(()).is_ok());
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

fn end_of_login(error: &Error, cut_off: Option<&Intent>) -> String {
    match cut_off {
        Some(intent) => format!(
            "the login is lost: the renewal of {} was cut off before its answer arrived, and the server had \
             already replaced the refresh token ({})",
            clock::rfc3339(intent.at),
            error.text()
        ),
        None => format!("the login has ended: {}", error.text()),
    }
}

fn expired_on_arrival() -> Error {
    Error::new(Kind::Server, "the new token is past its end already, by this machine's clock")
        .hint("set the clock right; `date` shows it")
}

fn no_refresh_token() -> Error {
    Error::new(Kind::LoginDead, "the stored login cannot be renewed: it has no refresh token")
        .sign_in_again()
}

fn no_access_token(url: &str) -> Error {
    Error::new(Kind::Server, format!("{} renewed the login without an access token", host(url)))
}
