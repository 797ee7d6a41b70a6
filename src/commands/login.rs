//! `login`: a new device login, even when one is stored; the old one stays until the new one is.

use crate::error::{Kind, Result};
use crate::login::Login;
use crate::oauth::device::DeviceAuthorization;
use crate::profile::Profile;
use crate::renewal::request::{Goal, RenewalRequest};
use crate::renewal::wait::{self, Caller};
use crate::storage::shared;
use crate::ui;

pub fn login(profile: &Profile, caller: &mut Caller) -> Result<Login> {
    let _ = shared::catch_up(profile.storage.shared());
    let signed_in = profile.storage.login_dir()?.signed_in();
    let before = signed_in.load()?;
    let order = RenewalRequest { goal: Goal::SignIn, may_sign_in: true };
    // Another program's renewal changes the login, too; a sign-in alone is what was asked for.
    let signed_in = wait::renewed(profile, order, caller, || {
        if signed_in.load()? == before { Ok(None) } else { profile.storage.load() }
    });
    // The same command again would be another sign-in.
    signed_in.map_err(|error| match error.kind {
        Kind::LoginPending => error
            .run("never share the code; to see whether it was approved", "codex-credential status"),
        _ => error,
    })
}

/// Ends the sign-in that is pending, for all who wait for it.
pub fn cancel(profile: &Profile) -> Result<()> {
    let pending = profile.storage.login_dir()?.pending::<DeviceAuthorization>();
    let was_pending = pending.load()?.is_some();
    pending.remove()?;
    shared::withdraw_pending(profile.storage.shared())?;
    ui::say(if was_pending { "the sign-in was cancelled" } else { "no sign-in is pending" });
    Ok(())
}
