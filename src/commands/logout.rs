//! `logout`: revokes the login at the server and removes it here. `erase` by hand: removes it here.

use crate::account::Account;
use crate::audit::{self, Action};
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::recover::{give_up_sign_in, recover_sign_in};
use crate::renewal::revoke::revoke;
use crate::signals::Deferred;
use crate::storage::codex_home::CodexHome;
use crate::storage::journal;
use crate::storage::lock::Lock;
use crate::ui;
use crate::urls::host;

/// How the login is removed.
#[derive(Clone, Copy, Debug)]
pub struct Removal {
    /// Also revoke it at the server.
    pub revoke: bool,
    /// Ask the user first.
    pub ask: bool,
}

/// Removes the stored login, whether or not it could be revoked, and reports both.
///
/// # Errors
/// Why the login was not revoked, after it was removed here.
pub fn remove(profile: &Profile, removal: Removal, deadline: &Deadline) -> Result<()> {
    let storage = &profile.storage;
    let mut stored = storage.load().map_err(other_kind)?;
    if stored.is_none() {
        // A killed sign-in may have left a login.
        give_up_left_sign_in(profile, deadline)?;
        stored = storage.load()?;
    }
    let Some(login) = stored.as_ref().filter(|login| profile.matches_account(login)) else {
        ui::say(&match (stored, &profile.account) {
            (Some(other), Some(name)) => {
                format!("signed in is {}, not {name}; nothing was removed", other.username())
            }
            _ => "nobody is signed in; there is nothing to remove".into(),
        });
        return cancel_sign_in(profile);
    };
    let what = format!("the login of {} in {}", login.username(), storage.describe()?);
    let codex = storage.as_codex();
    let is_personal = codex.is_some_and(CodexHome::has_personal_access_token);
    let contents = codex.map(CodexHome::contents).transpose()?.flatten();
    let unused = contents.and_then(|(_, contents)| contents.unused);
    let what = unused.map_or_else(|| what.clone(), |unused| format!("{what}, with {unused}"));
    let codex_too = if codex.is_some() { " and sign out Codex" } else { "" };
    if removal.ask && !ui::confirm(&format!("remove {what}{codex_too}?"), deadline) {
        return Err(Error::new(Kind::Denied, "nothing was removed"));
    }
    let _signing_in = end_sign_in(profile, &login.account(), deadline)?;
    let Some(login_dir) = storage.login_dir()? else { return Err(changed()) };
    let Some(_renewing) = login_dir.acquire(deadline)? else { return Err(busy()) };
    let hold = storage.hold(deadline)?;
    // A renewal may have replaced the login while we waited. A login of another account is not the one that was shown.
    let is_meant = |stored: &Login| stored.account().is_same_as(&login.account());
    let Some(login) = storage.load()?.filter(is_meant) else { return Err(changed()) };
    // Revoked first: after a kill in between, another `logout` finds the login and completes the work. A signal waits for
    // both.
    let _signals = Deferred::with_interrupt();
    let revoked = (removal.revoke && !is_personal).then(|| revoke(profile, &login, deadline));
    let removed = match hold.remove(&is_meant, deadline) {
        Ok(false) => Err(changed()),
        removed => removed,
    };
    let action = if removal.revoke { Action::Logout } else { Action::Removal };
    let failed = revoked.as_ref().and_then(|revoked| revoked.as_ref().err());
    audit::note(profile, action, Some(&login), removed.as_ref().err().or(failed));
    removed.map_err(|error| match &revoked {
        Some(Ok(host)) => error
            .map_text(|text| format!("{host} has ended the login, but it is still here: {text}")),
        _ => error,
    })?;
    let codex_too = if storage.as_codex().is_some() { "; Codex is signed out, too" } else { "" };
    ui::say(&format!("removed {what}{codex_too}"));
    if is_personal {
        ui::say("the personal access token still works; revoke it in ChatGPT's settings");
    }
    report(profile, &login, revoked)
}

/// Cancels the pending sign-in. With `--account`, only one that was started for that account.
fn cancel_sign_in(profile: &Profile) -> Result<()> {
    let dir = profile.storage.sign_in_dir();
    let pending = dir.pending().load()?;
    let is_meant =
        |wanted: Option<&String>| profile.account.is_none() || wanted == profile.account.as_ref();
    if pending.is_some_and(|pending| is_meant(pending.rules.account.as_ref())) {
        dir.cancel()?;
        profile.storage.shared().withdraw_pending()?;
        ui::say("the pending sign-in was cancelled");
    }
    Ok(())
}

/// Ends what a killed sign-in left, unless a process works on it.
fn give_up_left_sign_in(profile: &Profile, deadline: &Deadline) -> Result<()> {
    let dir = profile.storage.sign_in_dir();
    if journal::is_answered(&dir.journal())?
        && let Some(_lock) = dir.try_acquire()?
    {
        give_up_sign_in(profile, deadline)?.iter().for_each(tell_ended);
    }
    Ok(())
}

fn tell_ended(why: &Error) {
    ui::say(&format!("a sign-in was ended: {}", why.text()));
}

/// Ends the sign-in that is under way: it would bring a login back. One that was started for another account goes on. Stores
/// the login of a killed sign-in first: it is removed with the login, or stays if it belongs to another account.
fn end_sign_in(profile: &Profile, account: &Account, deadline: &Deadline) -> Result<Option<Lock>> {
    let dir = profile.storage.sign_in_dir();
    let is_cancelled = dir.cancel_for(account)?;
    let lock = if is_cancelled {
        profile.storage.shared().withdraw_pending()?;
        dir.acquire(deadline)?.ok_or_else(busy)?
    } else {
        let Some(lock) = dir.try_acquire()? else { return Ok(None) };
        lock
    };
    if is_cancelled {
        give_up_sign_in(profile, deadline)?.iter().for_each(tell_ended);
        profile.storage.end_sign_in()?;
    } else {
        // That of another account neither goes with this login, nor keeps it here.
        let _ = recover_sign_in(profile, deadline);
    }
    Ok(Some(lock))
}

fn report(profile: &Profile, login: &Login, revoked: Option<Result<String>>) -> Result<()> {
    match revoked {
        Some(Ok(host)) => ui::say(&format!("{host} has ended the login")),
        Some(Err(error)) => {
            let message = "the login was removed here, but not ended at the server";
            let hint = match profile.standard {
                None => "end the session in ChatGPT's security settings".to_owned(),
                Some(_) => {
                    format!("end the session in your account at {}", host(&profile.client.issuer))
                }
            };
            return Err(Error::new(error.kind, message).hint(hint).caused_by(error));
        }
        None if login.refresh_token.is_some() => {
            ui::say("it was not ended at the server; copies of it still work (logout ends it)");
        }
        None => {}
    }
    Ok(())
}

/// Says how to remove what this program does not.
fn other_kind(error: Error) -> Error {
    match error.kind {
        Kind::LoginRequired | Kind::LoginUnreadable => error
            .map_text(|text| format!("{text}; nothing was removed"))
            .run("to remove everything that Codex stores", "codex logout"),
        _ => error,
    }
}

fn changed() -> Error {
    Error::new(Kind::Busy, "another program has changed the login; it was not removed")
        .run("to see who is signed in", "codex-credential status")
}

fn busy() -> Error {
    Error::new(Kind::Busy, "a renewal is under way; nothing was removed")
        .hint("try again, or wait longer with --wait")
}
