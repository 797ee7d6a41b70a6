//! `logout`: ends the login at the server, then removes it here; and `erase` by hand, which removes it here.

use crate::audit::{self, Action};
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::device::DeviceAuthorization;
use crate::profile::Profile;
use crate::renewal::revoke::revoke;
use crate::storage::shared;
use crate::ui;

/// What is to become of the login.
#[derive(Clone, Copy, Debug)]
pub struct Removal {
    /// End it at the server, too.
    pub revoke: bool,
    /// Ask the person first.
    pub ask: bool,
}

/// Removes the stored login, whatever became of its revocation, and says what was and was not reached.
///
/// # Errors
/// What kept the server from being told, after the login was removed here.
pub fn remove(profile: &Profile, removal: Removal, deadline: &Deadline) -> Result<()> {
    let storage = &profile.storage;
    let stored = storage.load()?;
    let Some(login) = stored.as_ref().filter(|login| profile.matches_account(login)) else {
        ui::say(&match (stored, &profile.account) {
            (Some(other), Some(name)) => {
                format!("signed in is {}, not {name}; nothing was removed", other.username())
            }
            _ => "nobody is signed in; there is nothing to remove".into(),
        });
        storage.login_dir()?.pending::<DeviceAuthorization>().remove()?;
        return shared::withdraw_pending(storage.shared());
    };
    let what = format!("the login of {} in {}", login.username(), storage.describe()?);
    let codex_too =
        if profile.storage.as_codex().is_some() { " Codex will be signed out, too." } else { "" };
    if removal.ask && !ui::confirm(&format!("remove {what}?{codex_too}"), deadline) {
        return Err(Error::new(Kind::Denied, "nothing was removed"));
    }
    // A sign-in that is pending would bring a login back.
    storage.login_dir()?.pending::<DeviceAuthorization>().remove()?;
    shared::withdraw_pending(storage.shared())?;
    let Some(_lock) = storage.login_dir()?.acquire(deadline)? else { return Err(busy()) };
    let hold = storage.hold(deadline)?;
    // A renewal may have replaced it while we waited; another person's login is not the one that was shown.
    let is_meant = |stored: &Login| stored.account().is_same_as(&login.account());
    let Some(login) = storage.load()?.filter(is_meant) else { return Err(changed()) };
    let revoked = removal.revoke.then(|| revoke(profile, &login));
    let removed = hold
        .remove(&is_meant, deadline)
        .and_then(|removed| if removed { Ok(()) } else { Err(changed()) });
    let action = if removal.revoke { Action::Logout } else { Action::Removal };
    let failed = revoked.as_ref().and_then(|revoked| revoked.as_ref().err());
    audit::note(profile, action, Some(&login), removed.as_ref().err().or(failed));
    removed.map_err(|error| match &revoked {
        Some(Ok(host)) => error
            .map_text(|text| format!("{host} has ended the login, but it is still here: {text}")),
        _ => error,
    })?;
    let codex_too =
        if profile.storage.as_codex().is_some() { "; Codex is signed out, too" } else { "" };
    ui::say(&format!("removed {what}{codex_too}"));
    report(&login, revoked)
}

fn report(login: &Login, revoked: Option<Result<String>>) -> Result<()> {
    match revoked {
        Some(Ok(host)) => ui::say(&format!("{host} has ended the login")),
        Some(Err(error)) => {
            let message = "the login was removed here, but not ended at the server";
            let hint = "end the session in ChatGPT's security settings";
            return Err(Error::new(error.kind, message).hint(hint).caused_by(error));
        }
        None if login.refresh_token.is_some() => {
            ui::say("it was not ended at the server; copies of it still work (logout ends it)");
        }
        None => {}
    }
    Ok(())
}

fn changed() -> Error {
    Error::new(Kind::Busy, "another program has changed the login meanwhile; it was not removed")
        .hint("see who is signed in with codex-credential status")
}

fn busy() -> Error {
    Error::new(Kind::Busy, "a renewal is under way; nothing was removed")
        .hint("try again, or give it longer with --wait")
}
