//! `store` with a refresh token: one refresh request proves that the login is the signed-in account's, and brings the
//! tokens that are stored. What a caller says about its tokens proves nothing.

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
use crate::tokens::Secret;
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
    // Each request that a forged token causes also takes the place of a used one in `spent-tokens`.
    let last = login_dir.refused_store().last()?;
    if last.as_ref().is_some_and(|last| clock::now() < last.next_at()) {
        ignored("another login was not kept a moment ago");
        return Ok(());
    }
    // An error must not keep the journal.
    let count =
        || drop(login_dir.refused_store().count(last.as_ref(), refresh_token.fingerprint()));
    let server = AuthorizationServer::within(profile, deadline)?;
    server.prepare()?;
    let intent = Intent {
        request: RequestKind::Refresh,
        replaces: Some(stored.fingerprint()),
        to: profile.client.clone(),
        rules: account_policy::rules(profile),
        at: clock::now(),
        nonce: None,
        is_offered: true,
    };
    let _exchange = begin_exchange();
    let Some(mut journal) = hold.begin_refresh(&intent)? else { return Ok(()) };
    let tokens = match server.refresh(&intent.to, refresh_token) {
        TokenOutcome::Tokens(tokens) => tokens,
        outcome => {
            if let TokenOutcome::InvalidGrant { .. } = outcome {
                InvalidToken::record_used(&login_dir, refresh_token);
            }
            ignored("the issuer did not accept its refresh token");
            count();
            hold.close_request(None)?;
            return journal.clear();
        }
    };
    let store = || {
        InvalidToken::record_spent(&login_dir, refresh_token, &tokens);
        let tokens = validate::offered(&server, &tokens, &stored, &intent)?;
        let (replaces, change) = (intent.replaces.as_ref(), Change::Renewed(&tokens));
        commit(profile, &*hold, Action::Store, replaces, &change, &write_deadline())?;
        Ok(())
    };
    match until_recorded_or_stored(|| journal.answer(&tokens), store) {
        Ok(()) => {}
        Err(ValidationError::NotNow(error)) => return Err(error),
        Err(ValidationError::Ended(error)) => {
            ignored(&error.text());
            count();
            hold.close_request(None)?;
        }
    }
    journal.clear()
}

fn ignored(why: &str) {
    trace::tell(|| Event::StoreIgnored { why });
}
