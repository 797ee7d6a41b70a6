//! `erase`: this access token was refused; or: remove the login here. (To end it at the server as well is
//! `logout`.)

use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::audit::{self, Action};
use crate::clock::Deadline;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::tokens::Fingerprint;

/// What an `erase` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    Nothing,
    /// The access token will not be handed out again; the next `get` renews the login.
    Token,
    Login,
    /// What was kept for a host that is not ours.
    OtherHosts,
}

/// Answers a program. With a token, compares before anything is erased; without one, removes the login; an input
/// that names no host removes nothing.
pub fn erase(
    profile: &Profile,
    foreign: &OtherHosts,
    named: &Credential,
    deadline: &Deadline,
) -> Result<Erased> {
    match Target::of(profile, named) {
        Target::Token => {}
        Target::ApiKey | Target::OtherHosts => {
            let erased = foreign.erase(named, deadline)?;
            return Ok(if erased { Erased::OtherHosts } else { Erased::Nothing });
        }
        Target::Default | Target::Nothing => return Ok(Erased::Nothing),
    }
    let storage = &profile.storage;
    let is_meant = |login: &Login| match &named.username {
        Some(name) => login.account().is_named(&String::from_utf8_lossy(name)),
        None => true,
    };
    let is_meant = |login: &Login| profile.matches_account(login) && is_meant(login);
    let Some(login) = storage.load()?.filter(is_meant) else { return Ok(Erased::Nothing) };
    let Some(secret) = named.secret() else {
        // A renewal that is under way finishes first, and what it stores is removed with the rest.
        let removed = storage.hold(deadline)?.remove(&is_meant, deadline)?;
        if removed {
            audit::note(profile, Action::Removal, Some(&login), None);
        }
        return Ok(if removed { Erased::Login } else { Erased::Nothing });
    };
    refuse(profile, &login, &Fingerprint::of(secret))
}

/// A caller found the access token with this fingerprint refused. Only the stored one is of interest.
pub fn refuse(profile: &Profile, stored: &Login, token: &Fingerprint) -> Result<Erased> {
    if stored.access_token.fingerprint() != *token {
        return Ok(Erased::Nothing);
    }
    let Some(login_dir) = profile.storage.login_dir()? else { return Ok(Erased::Nothing) };
    login_dir.create()?;
    login_dir.rejected().save(token)?;
    audit::note(profile, Action::Rejection, Some(stored), None);
    Ok(Erased::Token)
}
