//! Commits a renewed or new login, and says how long to wait for the locks of a storage.

use crate::account_policy;
use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::journal::Intent;
use crate::storage::records::SignedIn;
use crate::storage::{Change, HeldLogin};
use crate::tokens::{Fingerprint, TokenResponse};
use crate::trace::{self, Event};
use std::time::Duration;

const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// Codex's second lock is held for a write alone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for a storage's lock. Other programs hold it briefly.
pub fn lock_deadline() -> Deadline {
    Deadline::after(LOCK_PATIENCE)
}

/// How long to wait for the lock of one write.
pub fn write_deadline() -> Deadline {
    Deadline::after(WRITE_PATIENCE)
}

/// Prepares a change of the stored login, for a request and its commit. Codex's storage holds `auth.lock` meanwhile; local
/// storage locks each write.
pub fn hold(profile: &Profile) -> Result<Box<dyn HeldLogin + '_>> {
    profile.storage.hold(&lock_deadline())
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

/// Commits the answer of a sign-in, which is recorded in the journal. An answer that its request does not allow is revoked
/// and not stored. Returns false where another program has replaced Codex's login since the sign-in began.
pub fn commit_sign_in(
    server: &AuthorizationServer,
    hold: &dyn HeldLogin,
    intent: &Intent,
    tokens: &TokenResponse,
) -> Result<bool, ValidationError> {
    let profile = server.profile;
    let storage = &profile.storage;
    let validated = validate::signed_in(server, tokens, intent);
    if let Err(ValidationError::Ended(_)) = &validated {
        storage.end_sign_in()?;
    }
    let login = &validated?;
    let change = Change::SignedIn { login, is_default: intent.rules.account.is_none() };
    let replaces = intent.replaces.as_ref();
    let is_stored = commit(profile, hold, Action::SignIn, replaces, &change, &write_deadline())?;
    // An earlier attempt may have stored it. Our own storages refuse only a login that is older than the stored one.
    let stored = || profile.storage.load().ok().flatten().map(|stored| stored.fingerprint());
    if !is_stored && storage.as_codex().is_some() && stored() != Some(login.fingerprint()) {
        storage.end_sign_in()?;
        return Ok(false);
    }
    account_policy::pin(profile, &intent.rules)?;
    let signed_in = SignedIn { id: clock::timestamp().to_string(), account: login.account() };
    storage.sign_in_dir().signed_in().save(&signed_in)?;
    storage.end_sign_in()?;
    Ok(true)
}

pub fn not_signed_in() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in").sign_in_again()
}

/// The user, or a logout, has removed the pending sign-in.
pub fn cancelled() -> Error {
    Error::new(Kind::LoginCancelled, "the sign-in was cancelled")
        .run("to start again", "codex-credential login")
}
