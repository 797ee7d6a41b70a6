//! `renew` by hand: starts or joins a renewal and waits for it. Whoever is killed here does not take it along.

use crate::answer::get::usable;
use crate::clock;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::request::{Goal, RenewalRequest};
use crate::renewal::wait::{self, Caller};

pub fn renew(profile: &Profile, caller: &mut Caller) -> Result<()> {
    if let Some(login) = usable(profile, 0)?
        && !is_due(&login)
    {
        return Ok(());
    }
    let before = profile.storage.fingerprint();
    let order = RenewalRequest { goal: Goal::Early, may_sign_in: false };
    wait::renewed(profile, order, caller, || {
        let login = usable(profile, 0)?;
        Ok(login.filter(|login| !is_due(login) || Some(login.fingerprint()) != before))
    })
    .map(drop)
}

fn is_due(login: &Login) -> bool {
    login.renew_at().is_some_and(|due| clock::now() >= due)
}
