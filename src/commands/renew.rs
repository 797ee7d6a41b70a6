//! `renew`: renews the login if a renewal is due, and waits for the renewal. The renewal goes on if this process is killed.

use crate::answer::get::{is_due, load, load_valid};
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::caller::Caller;
use crate::renewal::renewal_request::Validity;
use crate::renewal::wait;

pub fn renew(profile: &Profile, caller: &mut Caller) -> Result<()> {
    if let Some(login) = load_valid(profile, 0)?
        && !is_due(&login)
    {
        return Ok(());
    }
    // A copy of the login lacks the refresh token, so its fingerprint differs from that of the stored login.
    let version = |login: &Login| (login.access_token.fingerprint(), login.last_refresh);
    let before = load(profile)?.map(|(login, _)| version(&login));
    wait::renewed(profile, Validity::NotDue, caller, || {
        let login = load_valid(profile, 0)?;
        Ok(login.filter(|login| !is_due(login) || Some(version(login)) != before))
    })
    .map(drop)
}
