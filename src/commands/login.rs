//! `login`: a new sign-in, also where a login is stored. The stored login stays until the new one replaces it.

use crate::error::{Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::caller::Caller;
use crate::renewal::wait;
use crate::ui;

pub fn login(profile: &Profile, caller: &mut Caller) -> Result<Login> {
    let _ = profile.storage.shared().catch_up();
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
        Kind::LoginPending => error
            .run("never share the code; to see whether it was approved", "codex-credential status"),
        _ => error,
    })
}

/// Cancels the pending sign-in, for all callers that wait for it.
pub fn cancel(profile: &Profile) -> Result<()> {
    let was_pending = profile.storage.sign_in_dir().cancel()?;
    profile.storage.shared().withdraw_pending()?;
    ui::say(if was_pending { "the sign-in was cancelled" } else { "no sign-in is pending" });
    Ok(())
}
