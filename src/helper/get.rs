//! The path of one `get`.

use super::credential::Credential;
use super::join::{self, Caller};
use super::renew::{Goal, Order};
use crate::clock;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::ui;

/// Whose token `asked` means: the default profile's where nothing is named, nobody's where the host is not ours.
fn is_ours(profile: &Profile, asked: &Credential) -> bool {
    match (&asked.protocol, &asked.host) {
        (Some(protocol), Some(host)) => profile.serves(protocol, host),
        _ => !asked.names_something(),
    }
}

/// A token for `asked`, good for `min_validity` seconds more; `None` when it is not ours to answer.
///
/// The warm path ends at the first `return`: two files are read, and no lock, socket, thread or child is made.
pub fn get(
    profile: &Profile,
    asked: &Credential,
    min_validity: i64,
    caller: &mut Caller,
) -> Result<Option<Login>> {
    if !is_ours(profile, asked) {
        return Ok(None);
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
    let order = Order { goal: Goal::Token { min_validity }, may_sign_in: true };
    let login = match join::renewed(profile, order, caller, || usable(profile, min_validity)) {
        Ok(login) => login,
        Err(error) => match usable(profile, 0)? {
            // The renewal can wait as long as what there is still works.
            Some(login) if error.kind.exit_code() == 1 => {
                ui::warn(&format!("{error}; answering with a token that expires soon"));
                login
            }
            _ => return Err(error),
        },
    };
    Ok(Some(login).filter(is_asked_for))
}

/// The stored login, if its access token is good for `min_validity` seconds more and nobody found it refused.
pub fn usable(profile: &Profile, min_validity: i64) -> Result<Option<Login>> {
    let Some(login) = profile.storage.load()? else { return Ok(None) };
    let good = login.lifetime().covers(min_validity, clock::now()) && !is_refused(profile, &login)?;
    Ok(Some(login).filter(|_| good))
}

/// Whether a caller has erased this very access token.
pub fn is_refused(profile: &Profile, login: &Login) -> Result<bool> {
    let refused = profile.storage.place().refused().load()?;
    Ok(refused.is_some_and(|refused| refused == login.access_token.fingerprint()))
}
