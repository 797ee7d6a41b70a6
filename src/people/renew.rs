//! `renew` by hand: starts or joins a renewal and waits for it. Whoever is killed here does not take it along.

use crate::clock;
use crate::error::Result;
use crate::helper::get::usable;
use crate::helper::join::{self, Caller};
use crate::helper::renew::{Goal, Order};
use crate::login::Login;
use crate::profile::Profile;

pub fn renew(profile: &Profile, caller: &mut Caller) -> Result<()> {
    if let Some(login) = usable(profile, 0)?
        && !is_due(&login)
    {
        return Ok(());
    }
    let before = profile.storage.fingerprint();
    let order = Order { goal: Goal::Early, may_sign_in: false };
    join::renewed(profile, order, caller, || {
        let login = usable(profile, 0)?;
        Ok(login.filter(|login| !is_due(login) || Some(login.fingerprint()) != before))
    })
    .map(drop)
}

fn is_due(login: &Login) -> bool {
    login.renew_at().is_some_and(|due| clock::now() >= due)
}
