//! Between an answer of the server's and the storage: whose login is it? What is another's than was wanted is ended at
//! the server and stored nowhere.

use crate::account::Account;
use crate::client::ClientRegistration;
use crate::error::{Error, Kind, Result};
use crate::login::{Login, Token};
use crate::policy;
use crate::renewal::server::{AuthorizationServer, Identity};
use crate::tokens::TokenResponse;
use crate::urls::host;

/// Why an answer is not stored.
pub enum ValidationError {
    /// It may be looked at again: it stays in the journal.
    NotNow(Error),
    /// It was ended.
    Ended(Error),
}

impl From<Error> for ValidationError {
    fn from(error: Error) -> Self {
        Self::NotNow(error)
    }
}

impl From<ValidationError> for Error {
    fn from(refusal: ValidationError) -> Self {
        let (ValidationError::NotNow(error) | ValidationError::Ended(error)) = refusal;
        error
    }
}

/// What of a sign-in's answer may be stored.
pub fn signed_in(
    issuer: &AuthorizationServer,
    tokens: &TokenResponse,
    by: &ClientRegistration,
) -> Result<TokenResponse, ValidationError> {
    let mut tokens = tokens.clone();
    let identity = issuer.identity(&tokens)?;
    let refused = match identity {
        Identity::Good => None,
        Identity::Unproven => {
            tokens.id_token = None;
            None
        }
        Identity::False(why) => Some(false_identity(by, &why)),
    };
    tokens.account = issuer.account(&tokens)?;
    let Some(login) = Login::from_response(&tokens, by) else {
        return Err(ValidationError::Ended(no_access_token()));
    };
    let refused = refused.map_or_else(|| policy::check(issuer.profile, &login), Err);
    refused.map_err(|refusal| end(issuer, &login, refusal))?;
    Ok(tokens)
}

/// What of a renewal's answer may be stored in the place of `stored`. An ID token that proves nothing is left out: the
/// one there is goes on to say who it is.
pub fn renewed(
    issuer: &AuthorizationServer,
    tokens: &TokenResponse,
    stored: &Login,
) -> Result<TokenResponse, ValidationError> {
    let mut tokens = tokens.clone();
    if !matches!(issuer.identity(&tokens), Ok(Identity::Good)) {
        tokens.id_token = None;
    }
    let login = Login {
        access_token: tokens
            .access_token
            .clone()
            .map_or_else(|| stored.access_token.clone(), Token::from),
        refresh_token: tokens.refresh_token.clone().or_else(|| stored.refresh_token.clone()),
        id_token: tokens.id_token.clone().map(Token::from).or_else(|| stored.id_token.clone()),
        ..stored.clone()
    };
    let is_standard = issuer.profile.as_standard().is_some();
    let allowed = match same_person(&tokens, stored) {
        Err(error) if is_standard => Err(error),
        _ => policy::check(issuer.profile, &login),
    };
    allowed.map_err(|refusal| end(issuer, &login, refusal))?;
    Ok(tokens)
}

/// OpenID Connect Core 1.0, section 12.2: the `sub` stays.
fn same_person(tokens: &TokenResponse, stored: &Login) -> Result<()> {
    let Some(id_token) = &tokens.id_token else { return Ok(()) };
    let (now, before) = (Account::from_tokens([id_token.expose().as_str()]), stored.account());
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
fn end(issuer: &AuthorizationServer, login: &Login, refusal: Error) -> ValidationError {
    if matches!(refusal.kind, Kind::Storage | Kind::Busy) {
        return ValidationError::NotNow(refusal);
    }
    ValidationError::Ended(match issuer.revoke(login) {
        Ok(_) => refusal.map_text(|text| format!("{text}; it was revoked and not stored")),
        Err(error) => refusal.map_text(|text| {
            format!("{text}; it was not stored, but could not be revoked ({})", error.text())
        }),
    })
}

fn false_identity(by: &ClientRegistration, why: &str) -> Error {
    let what = format!("the ID token of {} proves nothing: {why}", host(&by.issuer));
    Error::new(Kind::Server, what).hint("check issuer and client_id of the profile")
}

fn no_access_token() -> Error {
    Error::new(Kind::Server, "the server signed in without an access token")
}
