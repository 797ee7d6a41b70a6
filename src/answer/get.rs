//! The path of one `get`.

use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::login::Login;
use crate::policy;
use crate::profile::Profile;
use crate::storage::CachedLogin;
use crate::storage::login_dir::LoginDir;
use crate::trace::{self, Event, State};
use crate::ui;

/// What a request gets.
pub enum Answer {
    Login(Login),
    /// Of a host that is not ours.
    OtherHosts(Credential),
    Nothing,
}

impl Answer {
    /// For a person, without the secret.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Login(login) => Some(format!("a token for {}", login.username())),
            Self::OtherHosts(_) => Some("a credential".into()),
            Self::Nothing => None,
        }
    }
}

/// How `get` obtains a token that the cache does not have.
pub trait Renewals {
    /// When the caller stops waiting.
    fn deadline(&self) -> &Deadline;

    /// Starts a renewal that the caller does not wait for.
    fn renew_early(&mut self, profile: &Profile);

    /// Waits until `usable` finds a login, with a renewal or a sign-in under way.
    fn renew(
        &mut self,
        profile: &Profile,
        min_validity: i64,
        usable: &dyn Fn() -> Result<Option<Login>>,
    ) -> Result<Login>;
}

/// The login that answers `asked`, where files alone tell that it does; `None` where more has to be done: somebody
/// asked, or a renewal started. This is the warm path: no lock, socket, thread or child is made. `min_validity` is in
/// seconds, here and below.
pub fn at_once(
    profile: &Profile,
    asked: &Credential,
    min_validity: i64,
) -> Result<Option<CachedLogin>> {
    // Several accounts may be kept in our own storages, and the index of them in a keyring.
    let by_name = asked.username.is_some() && profile.storage.as_codex().is_none();
    if by_name || !matches!(Target::of(profile, asked), Target::Token | Target::Default) {
        return Ok(None);
    }
    let Some(found) = profile.storage.read_cached()? else { return Ok(None) };
    let answers = is_usable(profile, &found.login_dir, &found.login, min_validity)?
        && !is_due(&found.login)
        && is_asked_for(&found.login, asked);
    Ok(Some(found).filter(|_| answers))
}

/// A token for `asked`, good for `min_validity` seconds more; or what is kept for a host that is not ours.
pub fn get(
    profile: &Profile,
    foreign: &OtherHosts,
    asked: &Credential,
    min_validity: i64,
    renewals: &mut impl Renewals,
) -> Result<Answer> {
    let kept =
        || Ok(foreign.get(asked, renewals.deadline())?.map_or(Answer::Nothing, Answer::OtherHosts));
    let target = Target::of(profile, asked);
    trace::tell(|| profile_event(profile, asked, target));
    match target {
        Target::Token | Target::Default => {}
        Target::ApiKey => return api_key(profile)?.map_or_else(kept, |key| Ok(Answer::Login(key))),
        Target::OtherHosts => return kept(),
        Target::Nothing => return Ok(Answer::Nothing),
    }
    if profile.storage.read_cached()?.is_none() {
        // Copies in memory are gone after a restart.
        profile.storage.refresh_copies()?;
    }
    if let Some(login) = usable(profile, min_validity)? {
        let is_due = is_due(&login);
        trace::tell(|| login_event(if is_due { State::Due } else { State::Warm }, Some(&login)));
        if is_due {
            renewals.renew_early(profile);
        }
        let answers = is_asked_for(&login, asked);
        return Ok(if answers { Answer::Login(login) } else { Answer::Nothing });
    }
    trace::tell(|| login_event(State::Stale, None));
    let login = match renewals.renew(profile, min_validity, &|| usable(profile, min_validity)) {
        Ok(login) => login,
        Err(error) => match usable(profile, 0)? {
            // The renewal can wait as long as what there is still works.
            Some(login) if error.kind.exit_code() == 1 => {
                ui::say(&format!("{}; answering with a token that expires soon", error.text()));
                login
            }
            _ => return Err(error),
        },
    };
    if !is_asked_for(&login, asked) {
        let who = login.account();
        ui::say(&format!("signed in as {}, which is not who was asked for", who.username()));
        return Ok(Answer::Nothing);
    }
    Ok(Answer::Login(login))
}

fn profile_event<'a>(profile: &'a Profile, asked: &'a Credential, target: Target) -> Event<'a> {
    Event::Profile {
        profile: &profile.name,
        storage: profile.storage_kind().name(),
        host: asked.host.as_deref().map(String::from_utf8_lossy),
        target: match target {
            Target::Token | Target::Default => trace::Target::Token,
            Target::ApiKey => trace::Target::ApiKey,
            Target::OtherHosts => trace::Target::OtherHosts,
            Target::Nothing => trace::Target::Nothing,
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
    policy::check_api_key(profile)?;
    Ok(Some(key))
}

/// The stored login, if it is usable.
pub fn usable(profile: &Profile, min_validity: i64) -> Result<Option<Login>> {
    let Some((login, login_dir)) = stored(profile)? else { return Ok(None) };
    let is_usable = is_usable(profile, &login_dir, &login, min_validity)?;
    Ok(Some(login).filter(|_| is_usable))
}

/// Returns the stored login from where it costs least to read. It may lack its refresh token. Writes nothing.
pub fn stored(profile: &Profile) -> Result<Option<(Login, LoginDir)>> {
    let storage = &profile.storage;
    if let Some(found) = storage.read_cached()? {
        return Ok(Some((found.login, found.login_dir)));
    }
    let Some(login) = storage.load()? else { return Ok(None) };
    Ok(storage.login_dir()?.map(|login_dir| (login, login_dir)))
}

/// Whether `login` is allowed, its access token good for `min_validity` seconds more, and not found refused by anybody.
fn is_usable(
    profile: &Profile,
    login_dir: &LoginDir,
    login: &Login,
    min_validity: i64,
) -> Result<bool> {
    policy::check(profile, login)?;
    Ok(login.lifetime().covers(min_validity, clock::now())
        && !login_dir.has_rejected(&login.access_token)?)
}

fn is_due(login: &Login) -> bool {
    login.renew_at().is_some_and(|due| clock::now() >= due)
}

fn is_asked_for(login: &Login, asked: &Credential) -> bool {
    let is_called = |name: &Vec<u8>| login.account().is_named(&String::from_utf8_lossy(name));
    asked.username.as_ref().is_none_or(is_called)
}
