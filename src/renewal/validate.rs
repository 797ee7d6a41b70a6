//! Decides whether a token response may be stored. A login of another account than the request wanted is revoked and not
//! stored.

use crate::account::{Account, AccountRules};
use crate::account_policy;
use crate::client::ClientRegistration;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::{Login, TokenKind};
use crate::oauth::id_token::IdTokenError;
use crate::renewal::server::{AuthorizationServer, IdTokenCheck};
use crate::storage::journal::Intent;
use crate::tokens::TokenResponse;
use crate::urls::host;

/// Why a token response is not stored.
pub enum ValidationError {
    /// It cannot be judged now, and stays in the journal.
    NotNow(Error),
    /// It is not allowed. Its login was ended.
    Ended(Error),
}

impl From<Error> for ValidationError {
    fn from(error: Error) -> Self {
        Self::NotNow(error)
    }
}

impl From<ValidationError> for Error {
    fn from(error: ValidationError) -> Self {
        let (ValidationError::NotNow(error) | ValidationError::Ended(error)) = error;
        error
    }
}

/// Returns the login that may be stored of the token response to a sign-in.
pub fn signed_in(
    server: &AuthorizationServer,
    tokens: &TokenResponse,
    intent: &Intent,
) -> Result<Login, ValidationError> {
    let mut tokens = tokens.clone();
    let invalid_id_token = match server.check_id_token(&tokens, intent.nonce.as_deref())? {
        IdTokenCheck::ValidOrAbsent => None,
        IdTokenCheck::Ignored => {
            tokens.id_token = None;
            None
        }
        // It stays in the journal until the user decides.
        IdTokenCheck::Refused(IdTokenError::Unverifiable(why)) => {
            return Err(ValidationError::NotNow(unverifiable_id_token(&intent.to, &why)));
        }
        IdTokenCheck::Refused(IdTokenError::Invalid(why)) => {
            Some(invalid_id_token(&intent.to, &why))
        }
    };
    tokens.account = server.account(&tokens)?;
    let Some(mut login) = Login::from_response(&tokens, &intent.to) else {
        return Err(ValidationError::Ended(no_access_token()));
    };
    if server.profile.standard.is_some() && login.account().is_unknown() {
        let label = intent.rules.account.as_ref().unwrap_or(&server.profile.name);
        login.stored_account.label = Some(label.clone());
    }
    let check = || {
        account_policy::check_by(server.profile, &intent.rules, &login)?;
        let is_useless = login.refresh_token.is_none() && !login.lifetime().covers(0, clock::now());
        if is_useless { Err(expired_on_arrival()) } else { Ok(()) }
    };
    invalid_id_token
        .map_or_else(check, Err)
        .map_err(|error| revoke_disallowed(server, &login, error))?;
    Ok(login.signed_in(intent.at))
}

/// Returns what may be stored of the token response to a refresh request for `stored`. Drops an ID token that cannot
/// be verified; the stored one is kept.
pub fn renewed(
    server: &AuthorizationServer,
    tokens: &TokenResponse,
    stored: &Login,
    rules: &AccountRules,
) -> Result<TokenResponse, ValidationError> {
    let mut tokens = tokens.clone();
    match server.check_id_token(&tokens, None) {
        Ok(IdTokenCheck::ValidOrAbsent) => {}
        // The issuer's keys may be there later, and the caller needs this ID token.
        Err(error) if server.profile.token == TokenKind::IdToken => return Err(error.into()),
        _ => tokens.id_token = None,
    }
    let login = stored.clone().renewed(&tokens);
    let allowed = same_user(server, &tokens, stored)
        .and_then(|()| account_policy::check_by(server.profile, rules, &login));
    allowed.map_err(|error| revoke_disallowed(server, &login, error))?;
    Ok(tokens)
}

/// OpenID Connect Core 1.0, section 12.2: the `sub` stays.
fn same_user(server: &AuthorizationServer, tokens: &TokenResponse, stored: &Login) -> Result<()> {
    // Elsewhere an access token is for its resource server, and may have another `sub`.
    let is_openai = server.profile.standard.is_none();
    let access_token = tokens.access_token.as_ref().filter(|_| is_openai);
    let said = [tokens.id_token.as_ref(), access_token];
    let now = Account::from_tokens(said.into_iter().flatten().map(|token| token.expose().as_str()));
    let before = stored.account();
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

/// Returns what may be stored of the tokens for a refresh token that a caller of `store` offered. A login that does not say
/// whose it is is revoked, as one of another account is.
pub fn offered(
    server: &AuthorizationServer,
    tokens: &TokenResponse,
    stored: &Login,
    intent: &Intent,
) -> Result<TokenResponse, ValidationError> {
    let validated = renewed(server, tokens, stored, &intent.rules)?;
    let parts = [validated.id_token.as_ref(), validated.access_token.as_ref()];
    let account =
        Account::from_tokens(parts.into_iter().flatten().map(|token| token.expose().as_str()));
    if !stored.account().is_unknown() && stored.account().is_same_as(&account) {
        return Ok(validated);
    }
    let error = Error::new(Kind::WrongAccount, "it belongs to another account than the login");
    Err(revoked(server, tokens, &intent.to, error))
}

/// Revokes the login of a token response that is not stored because of `error`.
pub fn revoked(
    server: &AuthorizationServer,
    tokens: &TokenResponse,
    by: &ClientRegistration,
    error: Error,
) -> ValidationError {
    match Login::from_response(tokens, by) {
        Some(login) => revoke_disallowed(server, &login, error),
        None => ValidationError::Ended(error),
    }
}

/// Revokes a login that the rules do not allow. If a rule cannot be read, the answer stays in the journal.
fn revoke_disallowed(server: &AuthorizationServer, login: &Login, error: Error) -> ValidationError {
    if matches!(error.kind, Kind::Storage | Kind::Busy) {
        return ValidationError::NotNow(error);
    }
    ValidationError::Ended(match server.revoke(login) {
        Ok(_) => error.map_text(|text| format!("{text}; it was revoked and not stored")),
        Err(why) => error.map_text(|text| {
            format!("{text}; it was not stored, but could not be revoked ({})", why.text())
        }),
    })
}

fn invalid_id_token(by: &ClientRegistration, why: &str) -> Error {
    let what = format!("the ID token of {} proves nothing: {why}", host(&by.issuer));
    Error::new(Kind::Server, what).hint("check issuer and client_id of the profile")
}

fn unverifiable_id_token(by: &ClientRegistration, why: &str) -> Error {
    let what = format!("the ID token of {} cannot be checked: {why}", host(&by.issuer));
    Error::new(Kind::Configuration, what).run(
        "to use the login without it, set id_token = \"ignore\" in the profile; to give up the sign-in",
        "codex-credential login --cancel",
    )
}

pub fn expired_on_arrival() -> Error {
    Error::new(Kind::Server, "the new token has already expired by this machine's clock")
        .hint("set the clock right; `date` shows it")
}

fn no_access_token() -> Error {
    Error::new(Kind::Server, "the server signed in without an access token")
}
