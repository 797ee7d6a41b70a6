//! `erase`: this access token was refused; or: remove the login here. (To end it at the server as well is
//! `logout`.)

use super::credential::Credential;
use crate::clock::Deadline;
use crate::error::Result;
use crate::profile::Profile;
use crate::tokens::Fingerprint;
use std::time::Duration;

/// What an `erase` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    Nothing,
    /// The access token will not be handed out again; the next `get` renews the login.
    Token,
    Login,
}

/// Answers a program. With a token, compares before anything is erased; without one, removes the login; an input
/// that does not name our host removes nothing.
pub fn erase(profile: &Profile, named: &Credential, patience: Duration) -> Result<Erased> {
    let (Some(protocol), Some(host)) = (&named.protocol, &named.host) else {
        return Ok(Erased::Nothing);
    };
    if !profile.serves(protocol, host) {
        return Ok(Erased::Nothing);
    }
    let storage = &profile.storage;
    let Some(login) = storage.load()? else { return Ok(Erased::Nothing) };
    if let Some(name) = &named.username
        && !login.account().is_called(&String::from_utf8_lossy(name))
    {
        return Ok(Erased::Nothing);
    }
    let Some(secret) = named.secret() else { return remove(profile, patience) };
    let token = login.access_token.fingerprint();
    if Fingerprint::of(secret) != token {
        return Ok(Erased::Nothing);
    }
    storage.place().create()?;
    storage.place().refused().save(&token)?;
    Ok(Erased::Token)
}

/// Removes the stored login here. Nothing is revoked.
pub fn remove(profile: &Profile, patience: Duration) -> Result<Erased> {
    let storage = &profile.storage;
    // A renewal that is under way finishes first, and what it stores is removed with the rest.
    let hold = storage.hold(&Deadline::after(patience))?;
    Ok(if hold.remove()? { Erased::Login } else { Erased::Nothing })
}
