//! `erase` by hand: says what would go, asks, removes the login here.

use crate::error::{Error, Kind, Result};
use crate::helper::erase::{Erased, remove};
use crate::profile::Profile;
use crate::ui;
use std::time::Duration;

/// `is_sure` answers the question in advance.
pub fn erase(profile: &Profile, is_sure: bool, patience: Duration) -> Result<()> {
    let path = profile.storage.auth_json();
    let Some(login) = profile.storage.load()? else {
        ui::warn("nobody is signed in; there is nothing to remove");
        return Ok(());
    };
    let account = login.account();
    let what = format!("the login of {} in {}", account.username(), path.display());
    if !is_sure && !ui::confirm(&format!("remove {what}? Codex will be signed out too.")) {
        return Err(Error::new(Kind::Usage, "nothing was removed"));
    }
    match remove(profile, patience)? {
        Erased::Login => ui::warn(&format!("removed {what}")),
        _ => ui::warn("another program has changed the login meanwhile; nothing was removed"),
    }
    Ok(())
}
