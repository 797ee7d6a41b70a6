//! `login`: a new sign-in, also where a login is stored. The stored login stays until the new one replaces it.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::caller::Caller;
use crate::renewal::recover::give_up_sign_in;
use crate::renewal::wait;
use crate::ui;

pub fn login(profile: &Profile, caller: &mut Caller) -> Result<Login> {
    if let Ok(Some(why)) = profile.storage.shared().catch_up()
        && profile.storage.shared().read_only_error()?.is_none()
    {
        ui::say(&format!("{}; a new sign-in replaces it", why.text()));
    }
    let signed_in = profile.storage.sign_in_dir().signed_in();
    let before = signed_in.load()?;
    // A renewal changes the login too, and another caller's sign-in may bring another account.
    let find = || {
        let Some(last) = signed_in.load()?.filter(|last| Some(last) != before.as_ref()) else {
            return Ok(None);
        };
        Ok(profile.storage.load()?.filter(|login| login.account().is_same_as(&last.account)))
    };
    wait::signed_in(profile, caller, find).map_err(|error| match error.kind {
        // The same command again would start another sign-in.
        Kind::LoginPending => error.run(
            "never share the code or the URL; to see whether it was approved",
            "codex-credential status",
        ),
        _ => error,
    })
}

/// Cancels the pending sign-in, for all callers that wait for it. Returns when no process exchanges or stores it any more. Revokes
/// what it was granted, unless that is a login by now.
///
/// # Errors
/// `Busy` when that takes longer than until `deadline`.
pub fn cancel(profile: &Profile, deadline: &Deadline) -> Result<()> {
    let dir = profile.storage.sign_in_dir();
    let before = dir.signed_in().load()?;
    let was_pending = dir.cancel()?;
    profile.storage.shared().withdraw_pending()?;
    let Some(_lock) = dir.acquire(deadline)? else {
        let what = "the sign-in is being completed; it was not cancelled";
        return Err(Error::new(Kind::Busy, what)
            .run("to sign out when it is done", "codex-credential logout"));
    };
    if let Some(why) = give_up_sign_in(profile, deadline)? {
        ui::say(&format!("the sign-in was cancelled: {}", why.text()));
        return Ok(());
    }
    match dir.signed_in().load()?.filter(|last| Some(last) != before.as_ref()) {
        Some(last) => {
            let user = last.account.username();
            ui::say(&format!("not cancelled: {user} has signed in already"));
            ui::hint("to sign out", "codex-credential logout");
        }
        None if was_pending => ui::say("the sign-in was cancelled"),
        None => ui::say("no sign-in is pending"),
    }
    Ok(())
}
