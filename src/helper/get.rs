//! The path of one `get`.

use super::credential::Credential;
use super::join::{self, Caller};
use super::renew::{Goal, Order};
use super::rules;
use crate::clock;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::ui;

/// Which of the profile's credentials a request means.
enum Meant {
    Token,
    ApiKey,
    Nothing,
}

/// The default profile's token where nothing is named, nothing where the host is not ours.
fn meant(profile: &Profile, asked: &Credential) -> Meant {
    match (&asked.protocol, &asked.host) {
        (Some(protocol), Some(host)) if profile.serves(protocol, host) => Meant::Token,
        (Some(protocol), Some(host)) if profile.serves_api_key(protocol, host) => Meant::ApiKey,
        (None, None) if !asked.names_something() => Meant::Token,
        _ => Meant::Nothing,
    }
}

/// A token for `asked`, good for `min_validity` seconds more; `None` when it is not ours to answer.
///
/// The warm path ends at the second `return`: files are read, and no lock, socket, thread or child is made.
pub fn get(
    profile: &Profile,
    asked: &Credential,
    min_validity: i64,
    caller: &mut Caller,
) -> Result<Option<Login>> {
    match meant(profile, asked) {
        Meant::Token => {}
        Meant::ApiKey => return api_key(profile),
        Meant::Nothing => return Ok(None),
    }
    let is_asked_for = |login: &Login| match &asked.username {
        Some(name) => login.account().is_called(&String::from_utf8_lossy(name)),
        None => true,
    };
    if let Some(login) = usable(profile, min_validity)? {
        if login.renew_at().is_some_and(|due| clock::now() >= due) {
            join::renew_in_background(profile);
        }
        return Ok(Some(login).filter(is_asked_for));
    }
    let order = Order { goal: Goal::Token { min_validity }, may_sign_in: caller.may_sign_in };
    let login = match join::renewed(profile, order, caller, || usable(profile, min_validity)) {
        Ok(login) => login,
        Err(error) => match usable(profile, 0)? {
            // The renewal can wait as long as what there is still works.
            Some(login) if error.kind.exit_code() == 1 => {
                ui::say(&format!("{error}; answering with a token that expires soon"));
                login
            }
            _ => return Err(error),
        },
    };
    if !is_asked_for(&login) {
        let who = login.account();
        ui::say(&format!("signed in as {}, which is not who was asked for", who.username()));
        return Ok(None);
    }
    Ok(Some(login))
}

fn api_key(profile: &Profile) -> Result<Option<Login>> {
    let Some(home) = &profile.codex else { return Ok(None) };
    let Some(key) = home.load_api_key()? else { return Ok(None) };
    rules::check_api_key(profile)?;
    Ok(Some(key))
}

/// The stored login, if it is allowed, its access token is good for `min_validity` seconds more and nobody found it refused.
pub fn usable(profile: &Profile, min_validity: i64) -> Result<Option<Login>> {
    let Some(login) = profile.storage.glance()? else { return Ok(None) };
    rules::check(profile, &login)?;
    let good = login.lifetime().covers(min_validity, clock::now()) && !is_refused(profile, &login)?;
    Ok(Some(login).filter(|_| good))
}

/// Whether a caller has erased this very access token.
pub fn is_refused(profile: &Profile, login: &Login) -> Result<bool> {
    let refused = profile.storage.place()?.refused().load()?;
    Ok(refused.is_some_and(|refused| refused == login.access_token.fingerprint()))
}
