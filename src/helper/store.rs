//! `store`: a caller vouches for a token that it has used; or gives us a credential of another host to keep.

use super::audit::{self, Action};
use super::credential::Credential;
use super::foreign::Foreign;
use super::meant::{Meant, meant};
use super::renew::recover;
use crate::account::{Account, Claims};
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::storage::Change;
use crate::tokens::{Grant, Secret, is_plain};

/// Keeps what the caller gives, where it is newer than what is stored and for the same account. Callers give what
/// they were once given, maybe long ago, so an older token is nothing to speak of.
///
/// # Errors
/// `BadInput` when the token is not one of the signed-in account, `LoginRequired` when nobody is signed in.
pub fn store(
    profile: &Profile,
    foreign: &Foreign,
    given: &Credential,
    deadline: &Deadline,
) -> Result<()> {
    match meant(profile, given) {
        Meant::Token => {}
        Meant::ApiKey | Meant::Foreign => return foreign.store(given, deadline),
        Meant::Default | Meant::Nothing => return Ok(()),
    }
    let Some(secret) = given.secret() else { return Ok(()) };
    let storage = &profile.storage;
    let Some(token) = plain(secret) else { return Err(not_a_token()) };
    let Some(Claims { iat: Some(issued_at), .. }) = Claims::of(token.expose()) else {
        return Err(not_a_token());
    };
    // Looked at without a lock first: what git gives back is nearly always what it was given.
    if is_current(profile, &token, issued_at)? {
        return Ok(());
    }
    let place = storage.place()?;
    let Some(_lock) = place.acquire(deadline)? else { return Err(renewal_goes_on()) };
    recover(profile, &place, deadline)?;
    let hold = storage.hold(deadline)?;
    if is_current(profile, &token, issued_at)? {
        return Ok(());
    }
    // Only the access token: a refresh token was never handed out, so nobody can vouch for one.
    let grant = Grant { access_token: Some(token), ..Grant::default() };
    let replaces = storage.fingerprint();
    if hold.commit(replaces.as_ref(), &Change::Renewed(&grant), deadline)? {
        audit::note(profile, Action::Store, storage.load()?.as_ref(), None);
    }
    Ok(())
}

/// Whether the stored token is this one or a newer one.
fn is_current(profile: &Profile, token: &Secret<String>, issued_at: i64) -> Result<bool> {
    let Some(login) = profile.storage.load()? else { return Err(nobody()) };
    if *login.access_token == *token {
        return Ok(true);
    }
    let (stored, given) = (login.account(), Account::of([token.expose().as_str()]));
    if !stored.is(&given) {
        return Err(Error::new(
            Kind::BadInput,
            "the token is for another account than the one that is signed in; it was not stored",
        ));
    }
    Ok(login.lifetime().issued_at.is_some_and(|stored| stored >= issued_at))
}

fn plain(token: &[u8]) -> Option<Secret<String>> {
    let token = std::str::from_utf8(token).ok()?;
    is_plain(token).then(|| Secret::from(token))
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

fn renewal_goes_on() -> Error {
    Error::new(Kind::Busy, "a renewal or a sign-in goes on; the token was not stored")
        .hint("give it longer with --wait")
}
