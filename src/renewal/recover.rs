//! Recovers what killed processes left: commits the answers that their journals hold.

use crate::audit::{self, Action};
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::commit::{commit, commit_sign_in, write_deadline};
use crate::renewal::server::AuthorizationServer;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::journal::{self, Intent, Unfinished};
use crate::storage::login_dir::LoginDir;
use crate::storage::records::InvalidToken;
use crate::storage::{Change, HeldLogin};
use crate::tokens::TokenResponse;
use std::thread;
use std::time::Duration;

/// What a killed sign-in left.
#[derive(PartialEq)]
pub enum LeftSignIn {
    Nothing,
    /// A request whose answer is not known.
    CutOff,
    /// An answer, which is committed now.
    Committed,
}

/// Commits what killed processes left of a sign-in and of a renewal. Returns the intent of a refresh request whose answer
/// is not known. The caller holds the renewal lock of `login_dir`.
pub fn recover(
    profile: &Profile,
    login_dir: &LoginDir,
    deadline: &Deadline,
) -> Result<Option<Intent>> {
    let recovered = recover_sign_in_if_free(profile, deadline);
    // An answer that cannot be stored must not stop the renewals of other accounts.
    if profile.storage.as_codex().is_some() {
        recovered?;
    }
    if !is_default(profile, login_dir)? {
        return Ok(None);
    }
    if journal::has_kept(&login_dir.journal()) {
        journal::restore_kept(&login_dir.journal(), profile.storage.fingerprint().as_ref())?;
    }
    match profile.storage.unfinished(login_dir)? {
        None => Ok(None),
        Some(Unfinished::Unanswered(intent)) if intent.is_offered => {
            journal::clear(&login_dir.journal()).map(|()| None)
        }
        Some(Unfinished::Unanswered(intent)) => Ok(Some(intent)),
        Some(Unfinished::Answered(intent, tokens)) => {
            let hold = hold_to_renew(profile, deadline)?;
            if !is_default(profile, login_dir)? {
                return Ok(None);
            }
            let committed = commit_left_refresh(profile, login_dir, &*hold, &intent, &tokens);
            match committed {
                Err(ValidationError::NotNow(error)) => return Err(error),
                Ok(true) => {
                    note_superseded(profile, &tokens, &intent);
                    journal::keep(&login_dir.journal())?;
                }
                Ok(false) | Err(ValidationError::Ended(_)) => journal::clear(&login_dir.journal())?,
            }
            committed?;
            Ok(None)
        }
    }
}

/// Whether the profile still means the login of `login_dir`: a sign-in may have changed the default account.
fn is_default(profile: &Profile, login_dir: &LoginDir) -> Result<bool> {
    Ok(profile.storage.login_dir()?.as_ref() == Some(login_dir))
}

/// Returns whether another login than the renewed one is stored.
fn commit_left_refresh(
    profile: &Profile,
    login_dir: &LoginDir,
    hold: &dyn HeldLogin,
    intent: &Intent,
    tokens: &TokenResponse,
) -> Result<bool, ValidationError> {
    let Some(login) = profile.storage.load()? else { return Ok(true) };
    if Some(login.fingerprint()) != intent.replaces {
        let is_committed =
            tokens.refresh_token.is_some() && login.refresh_token == tokens.refresh_token;
        return Ok(!is_committed);
    }
    let used = login.refresh_token.as_ref().filter(|_| !intent.is_offered);
    if let Some(used) = used {
        InvalidToken::record_spent(login_dir, used, tokens);
    }
    let server = AuthorizationServer::new(profile)?;
    let validated = if intent.is_offered {
        validate::offered(&server, tokens, &login, intent)
    } else {
        validate::renewed(&server, tokens, &login, &intent.rules)
    };
    match validated {
        Ok(tokens) => {
            let (replaces, change) = (intent.replaces.as_ref(), Change::Renewed(&tokens));
            let deadline = write_deadline();
            let action = if intent.is_offered { Action::Store } else { Action::Renewal };
            let is_stored = commit(profile, hold, action, replaces, &change, &deadline)?;
            Ok(!is_stored)
        }
        // The offered login was revoked. It says nothing about the stored one.
        Err(ValidationError::Ended(_)) if intent.is_offered => Ok(false),
        Err(ValidationError::Ended(error)) => {
            if let Some(token) = used {
                let reason = error.text();
                InvalidToken::record_refused(profile, login_dir, hold, &login, token, reason)?;
            }
            Err(ValidationError::Ended(error))
        }
        Err(not_now) => Err(not_now),
    }
}

/// Notes that another login was stored during the request. The answer is kept, because the login that it renews may be put
/// back, and its refresh token is used up.
pub fn note_superseded(profile: &Profile, tokens: &TokenResponse, intent: &Intent) {
    let login = Login::from_response(tokens, &intent.to);
    let error = Error::new(Kind::Busy, "another login was stored during the renewal");
    audit::note(profile, Action::Renewal, login.as_ref(), Some(&error));
}

/// Commits the answer that a killed renewal left, or waits until the renewal process has committed it. The caller holds the
/// sign-in lock.
pub fn recover_renewal(profile: &Profile, deadline: &Deadline) -> Result<()> {
    let Some(login_dir) = profile.storage.login_dir()? else { return Ok(()) };
    if !journal::is_answered(&login_dir.journal())? {
        return Ok(());
    }
    let Some(_lock) = login_dir.acquire(deadline)? else { return Ok(()) };
    recover(profile, &login_dir, deadline).map(drop)
}

/// Commits the answer that a killed sign-in left, whichever account it brought. The caller holds the sign-in lock.
pub fn recover_sign_in(profile: &Profile, deadline: &Deadline) -> Result<LeftSignIn> {
    match profile.storage.unfinished(&profile.storage.sign_in_dir())? {
        None => Ok(LeftSignIn::Nothing),
        Some(Unfinished::Unanswered(_)) => Ok(LeftSignIn::CutOff),
        Some(Unfinished::Answered(intent, tokens)) => {
            let server = AuthorizationServer::new(profile)?;
            let hold = profile.storage.hold(deadline)?;
            commit_sign_in(&server, &*hold, &intent, &tokens).map_err(|error| match error {
                ValidationError::NotNow(error)
                    if !matches!(error.kind, Kind::Storage | Kind::Busy) =>
                {
                    error.run("to give this sign-in up", "codex-credential login --cancel")
                }
                error => error.into(),
            })?;
            Ok(LeftSignIn::Committed)
        }
    }
}

/// Ends a sign-in that the user gives up: commits the recorded answer if that is possible, and revokes it otherwise. Returns
/// why a granted login was not stored. The caller holds the sign-in lock.
///
/// # Errors
/// `Storage` or `Busy` if neither is possible now. The answer stays in the journal.
pub fn give_up_sign_in(profile: &Profile, deadline: &Deadline) -> Result<Option<Error>> {
    let Err(error) = recover_sign_in(profile, deadline) else { return Ok(None) };
    let dir = profile.storage.sign_in_dir();
    if !journal::is_answered(&dir.journal())? {
        return Ok(Some(error));
    }
    let is_unreadable = error.advises_sign_in();
    if matches!(error.kind, Kind::Storage | Kind::Busy) && !is_unreadable {
        return Err(error);
    }
    let mut why = error;
    if !is_unreadable
        && let Some(Unfinished::Answered(intent, tokens)) = profile.storage.unfinished(&dir)?
    {
        let server = AuthorizationServer::within(profile, deadline)?;
        why = validate::revoked(&server, &tokens, &intent.to, why).into();
    }
    profile.storage.end_sign_in()?;
    Ok(Some(why))
}

/// As [`recover_sign_in`], where no process holds the sign-in lock; else the holder recovers. Returns whether the lock was
/// free.
fn recover_sign_in_if_free(profile: &Profile, deadline: &Deadline) -> Result<bool> {
    let sign_in_dir = profile.storage.sign_in_dir();
    if !journal::is_answered(&sign_in_dir.journal())? {
        return Ok(true);
    }
    let Some(_lock) = sign_in_dir.try_acquire()? else { return Ok(false) };
    recover_sign_in(profile, deadline)?;
    Ok(true)
}

/// Prepares a renewal of the stored login, as [`hold`](crate::renewal::commit::hold) does. First commits the recorded answer
/// of a killed sign-in, which can be stored only while the login that it replaces is unchanged.
pub fn hold_to_renew<'a>(
    profile: &'a Profile,
    deadline: &Deadline,
) -> Result<Box<dyn HeldLogin + 'a>> {
    loop {
        let hold = profile.storage.hold(deadline)?;
        // Only Codex's storage compares the login that a sign-in replaces.
        let is_codex = profile.storage.as_codex().is_some();
        if !is_codex || !journal::is_answered(&profile.storage.sign_in_dir().journal())? {
            return Ok(hold);
        }
        drop(hold);
        if !recover_sign_in_if_free(profile, deadline)? {
            if deadline.is_over() {
                let what = "a sign-in is being stored; the login was not renewed";
                return Err(Error::new(Kind::Busy, what).hint("try again"));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
