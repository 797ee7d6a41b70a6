//! `move`: a login goes to another storage, and is read back there before the old place is emptied.

use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::session::recover;
use crate::storage::{Change, Storage, StorageKind};
use crate::ui;

/// A kill in between leaves the login in both places; the same command again ends what it began.
///
/// # Errors
/// `LoginRequired` when nobody is signed in; `Usage` when another login is there already.
pub fn move_login(profile: &Profile, to: StorageKind, deadline: &Deadline) -> Result<()> {
    if to == profile.storage_kind() {
        ui::say(
            "logins are kept there already; CODEX_CREDENTIAL_STORAGE names another storage to move one out of",
        );
        return Ok(());
    }
    let target = profile.with_storage(to)?;
    let (from, into) = (&*profile.storage, &*target.storage);
    let (here, there) = (from.login_dir()?, into.login_dir()?);
    let Some(_here) = here.acquire(deadline)? else { return Err(busy()) };
    recover(profile, &here, deadline)?;
    let Some(login) = from.load()? else { return Err(nobody()) };
    let Some(_there) = there.acquire(deadline)? else { return Err(busy()) };
    if !is_same(into, &login)? {
        put(&target, &login, deadline)?;
    }
    let is_meant = |stored: &Login| stored.version() == login.version();
    let (old, new) = (from.describe()?, into.describe()?);
    if !from.hold(deadline)?.remove(&is_meant, deadline)? {
        return Err(Error::new(Kind::Busy, format!("another program has changed {old} meanwhile"))
            .hint(
                "the login is in both places; see who is signed in with codex-credential status",
            ));
    }
    audit::note(profile, Action::Move, Some(&login), None);
    ui::say(&format!("moved the login of {} from {old} to {new}", login.username()));
    let (name, kept) = (&profile.name, to.name());
    ui::say(&format!(
        "for it to be found there, set storage = {kept:?} in [profiles.{name}] of config.toml, before which \
         CODEX_CREDENTIAL_STORAGE goes, where it is set"
    ));
    if profile.storage.as_codex().is_some() {
        ui::say("Codex is signed out: it finds its login in its own storage alone");
    }
    Ok(())
}

/// Puts a login that came from elsewhere into the profile's storage, unless another one is there.
pub fn adopt(profile: &Profile, login: &Login, deadline: &Deadline) -> Result<()> {
    let storage = &*profile.storage;
    let login_dir = storage.login_dir()?;
    let Some(_lock) = login_dir.acquire(deadline)? else { return Err(busy()) };
    if is_same(storage, login)? { Ok(()) } else { put(profile, login, deadline) }
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

fn put(target: &Profile, login: &Login, deadline: &Deadline) -> Result<()> {
    let (tokens, by) = (login.tokens(), target.registration_of(login));
    let hold = target.storage.hold(deadline)?;
    hold.probe()?;
    let replaces = target.storage.fingerprint();
    let change = Change::SignedIn { tokens: &tokens, by: &by, at: clock::now() };
    hold.commit(replaces.as_ref(), &change, deadline)?;
    match target.storage.load()? {
        Some(stored) if stored.version() == login.version() => Ok(()),
        _ => Err(Error::new(
            Kind::Storage,
            format!("{} did not keep the login; it stays where it was", target.storage.describe()?),
        )),
    }
}

fn nobody() -> Error {
    Error::new(Kind::LoginRequired, "nobody is signed in; there is nothing to move").sign_in_again()
}

fn busy() -> Error {
    Error::new(Kind::Busy, "a renewal or a sign-in goes on; nothing was moved")
        .hint("try again, or give it longer with --wait")
}
