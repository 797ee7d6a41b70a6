//! `store` with a refresh token: one refresh request proves that the login is the signed-in account's, and brings the
//! tokens that are stored. What a caller says about its tokens proves nothing.

use crate::account::Account;
use crate::account_policy;
use crate::audit::Action;
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::oauth::token_endpoint::TokenOutcome;
use crate::profile::Profile;
use crate::renewal::commit::{commit, write_deadline};
use crate::renewal::process::begin_exchange;
use crate::renewal::recover::{hold_to_renew, recover};
use crate::renewal::server::AuthorizationServer;
use crate::renewal::store_answer::until_recorded_or_stored;
use crate::renewal::validate::{self, ValidationError};
use crate::storage::Change;
use crate::storage::journal::{Intent, RequestKind};
use crate::storage::records::InvalidToken;
use crate::tokens::{Secret, TokenResponse};
use crate::trace::{self, Event};

/// Replaces the stored login by the one of `refresh_token`, if the profile's issuer accepts it and it is of the same
/// account. Otherwise nothing changes.
///
/// # Errors
/// `Busy` if a renewal takes longer than until `deadline`.
pub fn store_login(
    profile: &Profile,
    refresh_token: &Secret<String>,
    deadline: &Deadline,
) -> Result<()> {
    let Some(login_dir) = profile.storage.login_dir()? else { return Ok(()) };
    let Some(_lock) = login_dir.acquire(deadline)? else {
        let what = "another process is renewing the login; the token was not stored";
        return Err(Error::new(Kind::Busy, what).hint("try again, or wait longer with --wait"));
    };
    recover(profile, &login_dir, deadline)?;
    let hold = hold_to_renew(profile, deadline)?;
    let Some(stored) = profile.storage.load()? else { return Ok(()) };
    let offered = Login {
        refresh_token: Some(refresh_token.clone()),
        registration: Some(profile.client.clone()),
        ..stored.clone()
    };
    if stored.refresh_token.as_ref() == Some(refresh_token)
        || InvalidToken::of(profile, &offered)?.is_some()
    {
        return Ok(());
    }
    let server = AuthorizationServer::new(profile)?;
    server.prepare()?;
    let intent = Intent {
        request: RequestKind::Refresh,
        replaces: Some(stored.fingerprint()),
        to: profile.client.clone(),
        rules: account_policy::rules(profile),
        at: clock::now(),
    };
    let _exchange = begin_exchange();
    let Some(mut journal) = hold.begin_refresh(&intent)? else { return Ok(()) };
    let TokenOutcome::Tokens(tokens) = server.refresh(&intent.to, refresh_token) else {
        ignored("the issuer did not accept its refresh token");
        hold.close_request(None)?;
        return journal.clear();
    };
    let store = || {
        InvalidToken::record_spent(&login_dir, refresh_token, &tokens)?;
        let tokens = of_same_account(&server, &tokens, &stored, &intent)?;
        let (replaces, change) = (intent.replaces.as_ref(), Change::Renewed(&tokens));
        commit(profile, &*hold, Action::Store, replaces, &change, &write_deadline())?;
        Ok(())
    };
    match until_recorded_or_stored(|| journal.answer(&tokens), store) {
        Ok(()) => {}
        Err(ValidationError::NotNow(error)) => return Err(error),
        Err(ValidationError::Ended(error)) => {
            ignored(&error.text());
            hold.close_request(None)?;
        }
    }
    journal.clear()
}

/// A login that does not say whose it is is revoked, as one of another account is.
fn of_same_account(
    server: &AuthorizationServer,
    tokens: &TokenResponse,
    stored: &Login,
    intent: &Intent,
) -> Result<TokenResponse, ValidationError> {
    let validated = validate::renewed(server, tokens, stored, &intent.rules)?;
    let parts = [validated.id_token.as_ref(), validated.access_token.as_ref()];
    let account =
        Account::from_tokens(parts.into_iter().flatten().map(|token| token.expose().as_str()));
    if !stored.account().is_unknown() && stored.account().is_same_as(&account) {
        return Ok(validated);
    }
    let error = Error::new(Kind::WrongAccount, "it belongs to another account than the login");
    Err(validate::revoked(server, tokens, &intent.to, error))
}

fn ignored(why: &str) {
    trace::tell(|| Event::StoreIgnored { why });
}
