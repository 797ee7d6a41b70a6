//! `store`: takes a newer access token that the caller has used, or a credential of another host.

use crate::account::{Account, Claims};
use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::tokens::{Secret, is_valid_token};

/// Stores a credential of another host. For a host of the profile, returns the access token in `request` if it is newer
/// than the stored one, for `renewal::session::store_token`. git sends back old tokens too; they are ignored.
///
/// # Errors
/// `BadInput` if the token is not one of the signed-in account, `LoginRequired` if nobody is signed in.
pub fn store(
    profile: &Profile,
    other_hosts: &OtherHosts,
    request: &Credential,
    deadline: &Deadline,
) -> Result<Option<Secret<String>>> {
    match Target::of(profile, request) {
        Target::OurHost => {}
        Target::ApiKey | Target::OtherHosts => {
            return other_hosts.store(request, deadline).map(|()| None);
        }
        Target::Default | Target::Nothing => return Ok(None),
    }
    let Some(secret) = request.secret() else { return Ok(None) };
    let token = parse_token(secret).ok_or_else(not_a_token)?;
    // This check takes no lock: git nearly always sends back the token that it got.
    Ok(if is_current(profile, &token)? { None } else { Some(token) })
}

/// Tells whether the stored token is `token` or a newer one.
///
/// # Errors
/// As [`store`].
pub fn is_current(profile: &Profile, token: &Secret<String>) -> Result<bool> {
    let Some(Claims { iat: Some(issued_at), .. }) = Claims::from_jwt(token.expose()) else {
        return Err(not_a_token());
    };
    let Some(login) = profile.storage.load()? else { return Err(not_signed_in()) };
    if *login.access_token == *token {
        return Ok(true);
    }
    let account = Account::from_tokens([token.expose().as_str()]);
    if !login.account().is_same_as(&account) {
        return Err(Error::new(
            Kind::BadInput,
            "the token was not stored: it belongs to another account than the login",
        ));
    }
    Ok(login.lifetime().issued_at.is_some_and(|stored| stored >= issued_at))
}

fn parse_token(bytes: &[u8]) -> Option<Secret<String>> {
    let token = std::str::from_utf8(bytes).ok()?;
    is_valid_token(token).then(|| Secret::from(token))
}

fn not_a_token() -> Error {
    Error::new(Kind::BadInput, "the password was not stored: it is not a ChatGPT access token")
}

fn not_signed_in() -> Error {
    let message =
        "the token was not stored: nobody is signed in, and a login needs a refresh token too";
    Error::new(Kind::LoginRequired, message).sign_in_again()
}
