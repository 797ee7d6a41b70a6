//! What renewals, sign-ins and commands share: the locks, the commit, and the recovery of what a killed process left.

use crate::account_policy;
use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::journal::{self, Intent, Unfinished};
use crate::storage::login_dir::LoginDir;
use crate::storage::records::{InvalidToken, SignedIn};
use crate::storage::{Change, HeldLogin};
use crate::tokens::{Fingerprint, TokenResponse};
use crate::trace::{self, Event};
use std::thread;
use std::time::Duration;

/// Other programs hold the lock of a storage for moments.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// Codex's second lock is held for a write alone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// What a killed sign-in left.
pub enum LeftSignIn {
    Nothing,
    /// A request whose answer is not known.
    CutOff,
    /// An answer, which is committed now.
    Committed,
}

/// Takes the lock of the storage, for a request and its commit.
pub fn hold(profile: &Profile) -> Result<Box<dyn HeldLogin + '_>> {
    profile.storage.hold(&lock_patience())
}

/// Takes the lock of the storage to renew the login. The recorded answer of a killed sign-in is committed first: its
/// commit succeeds only while the login that it replaces is unchanged.
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

pub fn lock_patience() -> Deadline {
    Deadline::after(LOCK_PATIENCE)
}

pub fn write_patience() -> Deadline {
    Deadline::after(WRITE_PATIENCE)
}

/// Changes the stored login, if it still is the one that the change `replaces`. Every renewed and every new login goes
/// through here, and gets its line in the audit log and its trace event here. Returns false where another login is stored.
pub fn commit(
    profile: &Profile,
    hold: &dyn HeldLogin,
    action: Action,
    replaces: Option<&Fingerprint>,
    change: &Change,
    deadline: &Deadline,
) -> Result<bool> {
    let is_stored = hold.commit(replaces, change, deadline)?;
    let (what, login) = match change {
        Change::Renewed(_) => ("renewed login", profile.storage.load().ok().flatten()),
        Change::SignedIn { login, .. } => ("new login", Some((*login).clone())),
    };
    trace::tell(|| Event::Commit { what, stored: is_stored });
    if is_stored {
        audit::note(profile, action, login.as_ref(), None);
    }
    Ok(is_stored)
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
    match profile.storage.unfinished(login_dir)? {
        None => Ok(None),
        Some(Unfinished::Unanswered(intent)) => Ok(Some(intent)),
        Some(Unfinished::Answered(intent, tokens)) => {
            let hold = hold_to_renew(profile, deadline)?;
            if !is_default(profile, login_dir)? {
                return Ok(None);
            }
            let committed = commit_left_refresh(profile, login_dir, &*hold, &intent, &tokens);
            if let Err(ValidationError::NotNow(error)) = committed {
                return Err(error);
            }
            journal::clear(&login_dir.journal())?;
            committed?;
            Ok(None)
        }
    }
}

/// Whether the profile still means the login of `login_dir`: a sign-in may have changed the default account.
fn is_default(profile: &Profile, login_dir: &LoginDir) -> Result<bool> {
    Ok(profile.storage.login_dir()?.as_ref() == Some(login_dir))
}

fn commit_left_refresh(
    profile: &Profile,
    login_dir: &LoginDir,
    hold: &dyn HeldLogin,
    intent: &Intent,
    tokens: &TokenResponse,
) -> Result<(), ValidationError> {
    let Some(login) = profile.storage.load()? else { return Ok(()) };
    // The answer is for a login that is gone.
    if Some(login.fingerprint()) != intent.replaces {
        return Ok(());
    }
    if let Some(used) = &login.refresh_token {
        InvalidToken::record_spent(login_dir, used, tokens)?;
    }
    let server = AuthorizationServer::new(profile)?;
    match validate::renewed(&server, tokens, &login, &intent.rules) {
        Ok(tokens) => {
            let (replaces, change) = (intent.replaces.as_ref(), Change::Renewed(&tokens));
            commit(profile, hold, Action::Renewal, replaces, &change, &write_patience())?;
            Ok(())
        }
        Err(ValidationError::Ended(error)) => {
            if let Some(token) = &login.refresh_token {
                let reason = error.text();
                InvalidToken::record(profile, login_dir, hold, &login, token, reason)?;
            }
            Err(ValidationError::Ended(error))
        }
        Err(not_now) => Err(not_now),
    }
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
            commit_sign_in(&server, &*hold, &intent, &tokens)?;
            Ok(LeftSignIn::Committed)
        }
    }
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

/// Commits the answer of a sign-in, which is recorded in the journal. An answer that its request does not allow is revoked
/// and not stored.
pub fn commit_sign_in(
    server: &AuthorizationServer,
    hold: &dyn HeldLogin,
    intent: &Intent,
    tokens: &TokenResponse,
) -> Result<(), ValidationError> {
    let profile = server.profile;
    let storage = &profile.storage;
    let validated = validate::signed_in(server, tokens, intent);
    if let Err(ValidationError::Ended(_)) = &validated {
        storage.end_sign_in()?;
    }
    let login = &validated?;
    let change = Change::SignedIn { login, is_default: intent.rules.account.is_none() };
    let replaces = intent.replaces.as_ref();
    commit(profile, hold, Action::SignIn, replaces, &change, &write_patience())?;
    account_policy::pin(profile, &intent.rules)?;
    let signed_in = SignedIn { id: clock::timestamp().to_string(), account: login.account() };
    storage.sign_in_dir().signed_in().save(&signed_in)?;
    Ok(storage.end_sign_in()?)
}

pub fn not_signed_in() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in").sign_in_again()
}

/// The user, or a logout, has removed the pending device authorization.
pub fn cancelled() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in was cancelled")
        .run("to start again", "codex-credential login")
}
