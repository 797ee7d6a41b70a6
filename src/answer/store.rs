//! `store`: a caller vouches for a token that it has used; or gives us a credential of another host to keep.

use crate::account::{Account, Claims};
use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::tokens::{Secret, is_valid_token};

/// Stores a credential of another host. Returns an access token of the signed-in account that is newer than the
/// stored one, for `renewal::session::store_token`. Callers may return an old token: it is ignored.
///
/// # Errors
/// `BadInput` when the token is not one of the signed-in account, `LoginRequired` when nobody is signed in.
pub fn store(
    profile: &Profile,
    foreign: &OtherHosts,
    given: &Credential,
    deadline: &Deadline,
) -> Result<Option<Secret<String>>> {
    match Target::of(profile, given) {
        Target::Token => {}
        Target::ApiKey | Target::OtherHosts => {
            return foreign.store(given, deadline).map(|()| None);
        }
        Target::Default | Target::Nothing => return Ok(None),
    }
    let Some(secret) = given.secret() else { return Ok(None) };
    let token = plain(secret).ok_or_else(not_a_token)?;
    // Without a lock: git nearly always gives back the token that it was given.
    Ok(if is_current(profile, &token)? { None } else { Some(token) })
}

/// Whether the stored token is this one or a newer one.
pub fn is_current(profile: &Profile, token: &Secret<String>) -> Result<bool> {
    let Some(Claims { iat: Some(issued_at), .. }) = Claims::from_jwt(token.expose()) else {
        return Err(not_a_token());
    };
    let Some(login) = profile.storage.load()? else { return Err(nobody()) };
    if *login.access_token == *token {
        return Ok(true);
    }
    let (stored, given) = (login.account(), Account::from_tokens([token.expose().as_str()]));
    if !stored.is_same_as(&given) {
        return Err(Error::new(
            Kind::BadInput,
            "the token is for another account than the one that is signed in; it was not stored",
        ));
    }
    Ok(login.lifetime().issued_at.is_some_and(|stored| stored >= issued_at))
}

fn plain(token: &[u8]) -> Option<Secret<String>> {
    let token = std::str::from_utf8(token).ok()?;
    is_valid_token(token).then(|| Secret::from(token))
}

fn not_a_token() -> Error {
    Error::new(Kind::BadInput, "the password is not a ChatGPT access token; it was not stored")
}

fn nobody() -> Error {
    Error::new(
        Kind::LoginRequired,
        "nobody is signed in, and an access token alone makes no login; it was not stored",
    )
    .sign_in_again()
}
