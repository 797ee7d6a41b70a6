//! The path of one `get`.

use super::credential::Credential;
use super::foreign::Foreign;
use super::join::{self, Caller};
use super::meant::{Meant, meant};
use super::renew::{Goal, Order};
use super::rules;
use crate::clock;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::ui;

/// What a request gets.
pub enum Found {
    Login(Login),
    /// Of a host that is not ours.
    Foreign(Credential),
    Nothing,
}

impl Found {
    /// For a person, without the secret.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Login(login) => Some(format!("a token for {}", login.account().username())),
            Self::Foreign(_) => Some("a credential".into()),
            Self::Nothing => None,
        }
    }
}

/// A token for `asked`, good for `min_validity` seconds more; or what is kept for a host that is not ours.
///
/// The warm path ends at the third `return`: files are read, and no lock, socket, thread or child is made.
pub fn get(
    profile: &Profile,
    foreign: &Foreign,
    asked: &Credential,
    min_validity: i64,
    caller: &mut Caller,
) -> Result<Found> {
    let kept = || Ok(foreign.get(asked, &caller.deadline)?.map_or(Found::Nothing, Found::Foreign));
    match meant(profile, asked) {
        Meant::Token | Meant::Default => {}
        Meant::ApiKey => return api_key(profile)?.map_or_else(kept, |key| Ok(Found::Login(key))),
        Meant::Foreign => return kept(),
        Meant::Nothing => return Ok(Found::Nothing),
    }
    let is_asked_for = |login: &Login| match &asked.username {
        Some(name) => login.account().is_called(&String::from_utf8_lossy(name)),
        None => true,
    };
    if let Some(login) = usable(profile, min_validity)? {
        if login.renew_at().is_some_and(|due| clock::now() >= due) {
            join::renew_in_background(profile);
        }
        return Ok(if is_asked_for(&login) { Found::Login(login) } else { Found::Nothing });
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
        return Ok(Found::Nothing);
    }
    Ok(Found::Login(login))
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
