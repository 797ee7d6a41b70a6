//! `erase`: this access token was refused; or: remove the login here. (To end it at the server as well is
//! `logout`.)

use super::audit::{self, Action};
use super::credential::Credential;
use super::foreign::Foreign;
use super::meant::{Meant, meant};
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
    Foreign,
}

/// Answers a program. With a token, compares before anything is erased; without one, removes the login; an input
/// that names no host removes nothing.
pub fn erase(
    profile: &Profile,
    foreign: &Foreign,
    named: &Credential,
    deadline: &Deadline,
) -> Result<Erased> {
    match meant(profile, named) {
        Meant::Token => {}
        Meant::ApiKey | Meant::Foreign => {
            let erased = foreign.erase(named, deadline)?;
            return Ok(if erased { Erased::Foreign } else { Erased::Nothing });
        }
        Meant::Default | Meant::Nothing => return Ok(Erased::Nothing),
    }
    let storage = &profile.storage;
    let is_meant = |login: &Login| match &named.username {
        Some(name) => login.account().is_called(&String::from_utf8_lossy(name)),
        None => true,
    };
    let is_meant = |login: &Login| profile.means(login) && is_meant(login);
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
    let place = profile.storage.place()?;
    place.create()?;
    place.refused().save(token)?;
    audit::note(profile, Action::Refusal, Some(stored), None);
    Ok(Erased::Token)
}
