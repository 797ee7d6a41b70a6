//! `move`: copies a login to another storage and reads it back there, then removes it from the old storage.

use crate::audit::Action;
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::commit;
use crate::renewal::recover::{recover, recover_sign_in};
use crate::storage::lock::Lock;
use crate::storage::{Change, Storage, StorageKind};
use crate::ui;

/// A kill leaves the login in both storages. The same command again finishes the move.
///
/// # Errors
/// `LoginRequired` when no login is stored; `Usage` when the other storage has another login.
pub fn move_login(profile: &Profile, to: StorageKind, deadline: &Deadline) -> Result<()> {
    if to == profile.storage_kind() {
        ui::say(
            "logins are kept there already; CODEX_CREDENTIAL_STORAGE names another storage to move one out of",
        );
        return Ok(());
    }
    let target = profile.with_storage(to)?;
    let (from, into) = (&*profile.storage, &*target.storage);
    let _signing_in_here = lock_sign_in(profile, deadline)?;
    let _signing_in_there = lock_sign_in(&target, deadline)?;
    let Some(login_dir) = from.login_dir()? else { return Err(not_signed_in()) };
    let Some(_renewing) = login_dir.acquire(deadline)? else { return Err(busy()) };
    recover(profile, &login_dir, deadline)?;
    let Some(login) = from.load()? else { return Err(not_signed_in()) };
    if !is_same(into, &login)? {
        put(&target, &login, Action::Move, deadline)?;
    }
    let is_meant = |stored: &Login| stored.version() == login.version();
    let (old, new) = (from.describe()?, into.describe()?);
    if !from.hold(deadline)?.remove(&is_meant, deadline)? {
        return Err(Error::new(Kind::Busy, format!("another program has changed {old}")).run(
            "the login is in both places; to see who is signed in",
            "codex-credential status",
        ));
    }
    ui::say(&format!("moved the login of {} from {old} to {new}", login.username()));
    let (name, kept) = (&profile.name, to.name());
    ui::say(&format!(
        "to use it there, set storage = {kept:?} in [profiles.{name}] of config.toml; CODEX_CREDENTIAL_STORAGE, where it \
         is set, overrides that"
    ));
    if profile.storage.as_codex().is_some() {
        ui::say("Codex is signed out: it reads only its own storage");
    }
    Ok(())
}

/// Stores the login of a file in the profile's storage, unless another login is stored.
pub fn adopt(profile: &Profile, login: &Login, deadline: &Deadline) -> Result<()> {
    let _signing_in = lock_sign_in(profile, deadline)?;
    if is_same(&*profile.storage, login)? {
        return Ok(());
    }
    put(profile, login, Action::Import, deadline)
}

/// Takes the sign-in lock, and commits what a killed sign-in left.
fn lock_sign_in(profile: &Profile, deadline: &Deadline) -> Result<Lock> {
    let lock = profile.storage.sign_in_dir().acquire(deadline)?.ok_or_else(busy)?;
    recover_sign_in(profile, deadline)?;
    Ok(lock)
}

fn is_same(into: &dyn Storage, login: &Login) -> Result<bool> {
    match into.load()? {
        Some(stored) if stored.version() == login.version() => Ok(true),
        Some(stored)
            if into.accounts()?.is_empty() || stored.account().is_same_as(&login.account()) =>
        {
            let what =
                format!("{} holds a login of {}", into.describe()?, stored.account().username());
            Err(Error::new(Kind::Usage, what).hint("log out there first; nothing was moved"))
        }
        _ => Ok(false),
    }
}

fn put(target: &Profile, login: &Login, action: Action, deadline: &Deadline) -> Result<()> {
    let registration = Some(target.registration_of(login)?);
    let moved = Login { registration, ..login.clone() }.signed_in(clock::now());
    let hold = target.storage.hold(deadline)?;
    hold.probe()?;
    let replaces = target.storage.fingerprint();
    let change = Change::SignedIn { login: &moved, is_default: target.account.is_none() };
    commit::commit(target, &*hold, action, replaces.as_ref(), &change, deadline)?;
    match target.storage.load()? {
        Some(stored) if stored.version() == login.version() => Ok(()),
        _ => Err(Error::new(
            Kind::Storage,
            format!(
                "{} did not keep the login; the login was not moved",
                target.storage.describe()?
            ),
        )),
    }
}

fn not_signed_in() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in; there is nothing to move").sign_in_again()
}

fn busy() -> Error {
    Error::new(Kind::Busy, "a renewal or a sign-in is under way; nothing was moved")
        .hint("try again, or wait longer with --wait")
}
