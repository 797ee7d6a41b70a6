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
use crate::storage::Glance;
use crate::storage::place::Place;
use crate::trace::{self, Event, State};
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
            Self::Login(login) => Some(format!("a token for {}", login.username())),
            Self::Foreign(_) => Some("a credential".into()),
            Self::Nothing => None,
        }
    }
}

/// The login that answers `asked`, where files alone tell that it does; `None` where more has to be done: somebody
/// asked, or a renewal started. This is the warm path: no lock, socket, thread or child is made. `min_validity` is in
/// seconds, here and below.
pub fn at_once(profile: &Profile, asked: &Credential, min_validity: i64) -> Result<Option<Glance>> {
    // Several accounts may be kept in our own storages, and the index of them in a keyring.
    let by_name = asked.username.is_some() && profile.storage.as_codex().is_none();
    if by_name || !matches!(meant(profile, asked), Meant::Token | Meant::Default) {
        return Ok(None);
    }
    let Some(found) = profile.storage.gist()? else { return Ok(None) };
    let answers = is_usable(profile, &found.place, &found.login, min_validity)?
        && !is_due(&found.login)
        && is_asked_for(&found.login, asked);
    Ok(Some(found).filter(|_| answers))
}

/// A token for `asked`, good for `min_validity` seconds more; or what is kept for a host that is not ours.
pub fn get(
    profile: &Profile,
    foreign: &Foreign,
    asked: &Credential,
    min_validity: i64,
    caller: &mut Caller,
) -> Result<Found> {
    let kept = || Ok(foreign.get(asked, &caller.deadline)?.map_or(Found::Nothing, Found::Foreign));
    let meant = meant(profile, asked);
    trace::tell(|| profile_event(profile, asked, meant));
    match meant {
        Meant::Token | Meant::Default => {}
        Meant::ApiKey => return api_key(profile)?.map_or_else(kept, |key| Ok(Found::Login(key))),
        Meant::Foreign => return kept(),
        Meant::Nothing => return Ok(Found::Nothing),
    }
    if let Some(login) = usable(profile, min_validity)? {
        let is_due = is_due(&login);
        trace::tell(|| login_event(if is_due { State::Due } else { State::Warm }, Some(&login)));
        if is_due {
            join::renew_in_background(profile);
        }
        let answers = is_asked_for(&login, asked);
        return Ok(if answers { Found::Login(login) } else { Found::Nothing });
    }
    trace::tell(|| login_event(State::Stale, None));
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
    if !is_asked_for(&login, asked) {
        let who = login.account();
        ui::say(&format!("signed in as {}, which is not who was asked for", who.username()));
        return Ok(Found::Nothing);
    }
    Ok(Found::Login(login))
}

fn profile_event<'a>(profile: &'a Profile, asked: &'a Credential, meant: Meant) -> Event<'a> {
    Event::Profile {
        profile: &profile.name,
        storage: profile.kept.name(),
        host: asked.host.as_deref().map(String::from_utf8_lossy),
        meant: match meant {
            Meant::Token | Meant::Default => trace::Meant::Token,
            Meant::ApiKey => trace::Meant::ApiKey,
            Meant::Foreign => trace::Meant::Foreign,
            Meant::Nothing => trace::Meant::Nothing,
        },
    }
}

fn login_event(state: State, login: Option<&Login>) -> Event<'static> {
    let expires_at = login.and_then(|login| login.lifetime().expires_at);
    Event::Login { state, expires_at, renews_at: login.and_then(Login::renew_at) }
}

fn api_key(profile: &Profile) -> Result<Option<Login>> {
    let Some(home) = profile.storage.as_codex() else { return Ok(None) };
    let Some(key) = home.load_api_key()? else { return Ok(None) };
    rules::check_api_key(profile)?;
    Ok(Some(key))
}

/// The stored login, if it is usable.
pub fn usable(profile: &Profile, min_validity: i64) -> Result<Option<Login>> {
    let Some((login, place)) = stored(profile)? else { return Ok(None) };
    let is_usable = is_usable(profile, &place, &login, min_validity)?;
    Ok(Some(login).filter(|_| is_usable))
}

/// The stored login from where it costs least to read, perhaps without its refresh token.
pub fn stored(profile: &Profile) -> Result<Option<(Login, Place)>> {
    let storage = &profile.storage;
    if let Some(found) = storage.glance()? {
        return Ok(Some((found.login, found.place)));
    }
    storage.refresh_copies()?;
    let Some(login) = storage.load()? else { return Ok(None) };
    Ok(Some((login, storage.place()?)))
}

/// Whether `login` is allowed, its access token good for `min_validity` seconds more, and not found refused by anybody.
fn is_usable(profile: &Profile, place: &Place, login: &Login, min_validity: i64) -> Result<bool> {
    rules::check(profile, login)?;
    Ok(login.lifetime().covers(min_validity, clock::now()) && !is_refused(place, login)?)
}

/// Whether a caller has erased this very access token.
pub fn is_refused(place: &Place, login: &Login) -> Result<bool> {
    let refused = place.refused().load()?;
    Ok(refused.is_some_and(|refused| refused == login.access_token.fingerprint()))
}

fn is_due(login: &Login) -> bool {
    login.renew_at().is_some_and(|due| clock::now() >= due)
}

fn is_asked_for(login: &Login, asked: &Credential) -> bool {
    let is_called = |name: &Vec<u8>| login.account().is_called(&String::from_utf8_lossy(name));
    asked.username.as_ref().is_none_or(is_called)
}
