//! Between an answer of the server's and the storage: whose login is it? What is another's than was wanted is ended at
//! the server and stored nowhere.

use super::issuer::{Identity, Issuer};
use super::rules;
use crate::account::Account;
use crate::error::{Error, Kind, Result};
use crate::login::{Login, Provenance, Token};
use crate::oauth::http::host;
use crate::tokens::Grant;

/// Why an answer is not stored.
pub enum Refusal {
    /// It may be looked at again: it stays in the journal.
    NotNow(Error),
    /// It was ended.
    Ended(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::NotNow(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (Refusal::NotNow(error) | Refusal::Ended(error)) = refusal;
        error
    }
}

/// What of a sign-in's answer may be stored.
pub fn signed_in(issuer: &Issuer, grant: &Grant, by: &Provenance) -> Result<Grant, Refusal> {
    let mut grant = grant.clone();
    let identity = issuer.identity(&grant)?;
    let refused = match identity {
        Identity::Good => None,
        Identity::Unproven => {
            grant.id_token = None;
            None
        }
        Identity::False(why) => Some(false_identity(by, &why)),
    };
    grant.account = issuer.account(&grant)?;
    let Some(login) = Login::granted(&grant, by) else {
        return Err(Refusal::Ended(no_access_token()));
    };
    let refused = refused.map_or_else(|| rules::check(issuer.profile, &login), Err);
    refused.map_err(|refusal| end(issuer, &login, refusal))?;
    Ok(grant)
}

/// What of a renewal's answer may be stored in the place of `stored`. An ID token that proves nothing is left out: the
/// one there is goes on to say who it is.
pub fn renewed(issuer: &Issuer, grant: &Grant, stored: &Login) -> Result<Grant, Refusal> {
    let mut grant = grant.clone();
    if !matches!(issuer.identity(&grant), Ok(Identity::Good)) {
        grant.id_token = None;
    }
    let login = Login {
        access_token: grant
            .access_token
            .clone()
            .map_or_else(|| stored.access_token.clone(), Token::from),
        refresh_token: grant.refresh_token.clone().or_else(|| stored.refresh_token.clone()),
        id_token: grant.id_token.clone().map(Token::from).or_else(|| stored.id_token.clone()),
        ..stored.clone()
    };
    let is_standard = issuer.profile.as_standard().is_some();
    let allowed = match same_person(&grant, stored) {
        Err(error) if is_standard => Err(error),
        _ => rules::check(issuer.profile, &login),
    };
    allowed.map_err(|refusal| end(issuer, &login, refusal))?;
    Ok(grant)
}

/// OpenID Connect Core 1.0, section 12.2: the `sub` stays.
fn same_person(grant: &Grant, stored: &Login) -> Result<()> {
    let Some(id_token) = &grant.id_token else { return Ok(()) };
    let (now, before) = (Account::of([id_token.expose().as_str()]), stored.account());
    match (&now.user_id, &before.user_id) {
        (Some(is), Some(was)) if is != was => Err(Error::new(
            Kind::WrongAccount,
            format!(
                "the renewal brought a login of {} in place of {}",
                now.username(),
                before.username()
            ),
        )
        .sign_in_again()),
        _ => Ok(()),
    }
}

/// A rule that cannot be read now refuses nobody.
fn end(issuer: &Issuer, login: &Login, refusal: Error) -> Refusal {
    if matches!(refusal.kind, Kind::Storage | Kind::Busy) {
        return Refusal::NotNow(refusal);
    }
    Refusal::Ended(match issuer.revoke(login) {
        Ok(_) => Error { message: format!("{refusal}; it was ended, and not stored"), ..refusal },
        Err(error) => Error {
            message: format!("{refusal}; it was not stored, but could not be revoked ({error})"),
            ..refusal
        },
    })
}

fn false_identity(by: &Provenance, why: &str) -> Error {
    let what = format!("the ID token of {} proves nothing: {why}", host(&by.issuer));
    Error::new(Kind::Server, what).hint("check issuer and client_id of the profile")
}

fn no_access_token() -> Error {
    Error::new(Kind::Server, "the server signed in without an access token")
}
