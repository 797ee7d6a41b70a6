//! `login`: a new device login, even when one is stored; the old one stays until the new one is.

use crate::error::Result;
use crate::helper::join::{self, Caller};
use crate::helper::renew::{Goal, Order};
use crate::login::Login;
use crate::profile::Profile;

pub fn login(profile: &Profile, caller: &mut Caller) -> Result<Login> {
    let signed_in = profile.storage.place().signed_in();
    let before = signed_in.load()?;
    let order = Order { goal: Goal::SignIn, may_sign_in: true };
    // Another program's renewal changes the login, too; a sign-in alone is what was asked for.
    join::renewed(profile, order, caller, || {
        if signed_in.load()? == before { Ok(None) } else { profile.storage.load() }
    })
}
