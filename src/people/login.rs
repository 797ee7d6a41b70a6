//! `login`: a new device login, even when one is stored; the old one stays until the new one is.

use crate::error::Result;
use crate::helper::join::{self, Caller};
use crate::helper::renew::{Goal, Order};
use crate::login::Login;
use crate::profile::Profile;

pub fn login(profile: &Profile, caller: &mut Caller) -> Result<Login> {
    let stored = || profile.storage.load().ok().flatten();
    let before = stored().as_ref().map(Login::version);
    let order = Order { goal: Goal::SignIn, may_sign_in: true };
    join::renewed(profile, order, caller, || {
        Ok(stored().filter(|login| Some(login.version()) != before))
    })
}
