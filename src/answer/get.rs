//! `get`: from a request to an answer.

use crate::account_policy;
use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::clock::{self, Deadline};
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::CachedLogin;
use crate::storage::codex_config::LoginMethod;
use crate::storage::login_dir::LoginDir;
use crate::trace::{self, Event};
use crate::ui;

/// The answer to a request.
pub enum Answer {
    Login(Login),
    /// A credential that git stored for another host.
    OtherHosts(Credential),
    Nothing,
}

impl Answer {
    /// Describes the answer without its secret; `None` for an empty answer.
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::Login(login) => Some(format!("a token for {}", login.username())),
            Self::OtherHosts(_) => Some("a credential".into()),
            Self::Nothing => None,
        }
    }
}

/// Renews or signs in for `get`. A trait, because `answer` may not use `renewal`; `Caller` implements it.
pub trait Renewer {
    /// Returns when the caller stops waiting.
    fn deadline(&self) -> &Deadline;

    /// Starts a renewal of `login` without waiting for it.
    fn renew_early(&mut self, profile: &Profile, login: &Login);

    /// Waits until `find` finds a login while a renewal or a sign-in runs.
    fn renew(
        &mut self,
        profile: &Profile,
        min_validity: i64,
        find: &dyn Fn() -> Result<Option<Login>>,
    ) -> Result<Login>;
}

/// Returns the login that answers `request`, if the cached copy is enough; otherwise the caller has to use [`get`].
/// `min_validity` is in seconds, here and below. This is the warm path: it reads the login (for Codex also its config.toml)
/// and the record of the rejected token. It takes no lock, opens no socket, and starts no thread or process.
pub fn get_cached(
    profile: &Profile,
    request: &Credential,
    min_validity: i64,
) -> Result<Option<CachedLogin>> {
    if !matches!(Target::of(profile, request), Target::OurHost | Target::Default) {
        return Ok(None);
    }
    // Storages other than Codex's hold several accounts, and the user name selects one.
    if request.username.is_some() && profile.storage.as_codex().is_none() {
        return Ok(None);
    }
    let Some(CachedLogin { login, login_dir }) = profile.storage.read_cached()? else {
        return Ok(None);
    };
    // The copy of a keyring login has no ID token.
    let Some(login) = login.handing_out(profile.token) else { return Ok(None) };
    let cached = CachedLogin { login, login_dir };
    let CachedLogin { login, login_dir } = &cached;
    // The full program starts a renewal that is due.
    let is_answer = is_valid(profile, login_dir, login, min_validity)?
        && !is_due(login)
        && matches_username(login, request);
    Ok(is_answer.then_some(cached))
}

/// Returns a login whose token is valid for `min_validity` seconds more, or what git stored for another host. Renews
/// the login, or has the user sign in, if necessary.
pub fn get(
    profile: &Profile,
    other_hosts: &OtherHosts,
    request: &Credential,
    min_validity: i64,
    renewer: &mut impl Renewer,
) -> Result<Answer> {
    let target = Target::of(profile, request);
    trace::tell(|| profile_event(profile, request, target));
    match target {
        Target::OurHost | Target::Default => {}
        Target::ApiKey => {
            return match load_api_key(profile)? {
                Some(key) => Ok(Answer::Login(key)),
                None => get_for_other_host(other_hosts, request, renewer.deadline()),
            };
        }
        Target::OtherHosts => return get_for_other_host(other_hosts, request, renewer.deadline()),
        Target::Nothing => return Ok(Answer::Nothing),
    }
    if profile.storage.read_cached()?.is_none() {
        // Copies in memory are lost when the machine restarts.
        profile.storage.refresh_copies()?;
    }
    if let Some(login) = load_valid(profile, min_validity)? {
        let is_due = is_due(&login);
        trace::tell(|| login_event(if is_due { "due" } else { "warm" }, Some(&login)));
        if is_due {
            renewer.renew_early(profile, &login);
        }
        let is_answer = matches_username(&login, request);
        return Ok(if is_answer { Answer::Login(login) } else { Answer::Nothing });
    }
    trace::tell(|| login_event("stale", None));
    let before = load(profile)?.map(|(login, _)| login.account());
    let login = renew(profile, min_validity, renewer)?;
    if let Some(before) = before.filter(|before| !before.is_same_as(&login.account())) {
        let (before, now) = (before.username(), login.username());
        ui::say(&format!(
            "the login of {before} was replaced during its renewal; the token is {now}'s"
        ));
    }
    if !matches_username(&login, request) {
        let account = login.account();
        ui::say(&format!("signed in as {}, not as the requested user", account.username()));
        return Ok(Answer::Nothing);
    }
    Ok(Answer::Login(login))
}

fn get_for_other_host(
    other_hosts: &OtherHosts,
    request: &Credential,
    deadline: &Deadline,
) -> Result<Answer> {
    Ok(other_hosts.get(request, deadline)?.map_or(Answer::Nothing, Answer::OtherHosts))
}

/// Renews the login. If that fails for now, returns the stored login as long as its token is valid at all.
fn renew(profile: &Profile, min_validity: i64, renewer: &mut impl Renewer) -> Result<Login> {
    let error = match renewer.renew(profile, min_validity, &|| load_valid(profile, min_validity)) {
        Ok(login) => return Ok(login),
        Err(error) => error,
    };
    match load_valid(profile, 0)? {
        Some(login) if error.kind.is_temporary() => {
            ui::say(&format!("{}; answering with a token that expires soon", error.text()));
            Ok(login)
        }
        _ => Err(error),
    }
}

fn profile_event<'a>(profile: &'a Profile, request: &'a Credential, target: Target) -> Event<'a> {
    Event::Profile {
        profile: &profile.name,
        storage: profile.storage_kind().name(),
        host: request.host.as_deref().map(String::from_utf8_lossy),
        target: match target {
            Target::OurHost | Target::Default => "token",
            Target::ApiKey => "api_key",
            Target::OtherHosts => "other_hosts",
            Target::Nothing => "nothing",
        },
    }
}

fn login_event(state: &'static str, login: Option<&Login>) -> Event<'static> {
    let expires_at = login.and_then(|login| login.lifetime().expires_at);
    Event::Login { state, expires_at, renews_at: login.and_then(Login::renew_at) }
}

/// Returns the API key that Codex stores, if its configuration allows API keys.
fn load_api_key(profile: &Profile) -> Result<Option<Login>> {
    let Some(home) = profile.storage.as_codex() else { return Ok(None) };
    let Some(key) = home.load_api_key()? else { return Ok(None) };
    account_policy::check_method(profile, LoginMethod::Api)?;
    Ok(Some(key))
}

/// Returns the stored login if its token is valid for `min_validity` seconds more.
pub fn load_valid(profile: &Profile, min_validity: i64) -> Result<Option<Login>> {
    let Some((login, login_dir)) = load(profile)? else { return Ok(None) };
    let is_valid = is_valid(profile, &login_dir, &login, min_validity)?;
    Ok(is_valid.then_some(login))
}

/// Returns the stored login with the token to hand out, from where it costs least to read. It may lack its refresh token.
/// Writes nothing.
pub fn load(profile: &Profile) -> Result<Option<(Login, LoginDir)>> {
    let storage = &profile.storage;
    if let Some(CachedLogin { login, login_dir }) = storage.read_cached()?
        && let Some(login) = login.handing_out(profile.token)
    {
        return Ok(Some((login, login_dir)));
    }
    let Some(login) = storage.load()? else { return Ok(None) };
    let login = profile.handed_out(login)?;
    Ok(storage.login_dir()?.map(|login_dir| (login, login_dir)))
}

/// Tells whether the access token of `login` is valid for `min_validity` seconds more and was not rejected.
///
/// # Errors
/// `WrongAccount` if the configuration does not allow the account.
fn is_valid(
    profile: &Profile,
    login_dir: &LoginDir,
    login: &Login,
    min_validity: i64,
) -> Result<bool> {
    account_policy::check(profile, login)?;
    Ok(login.lifetime().covers(min_validity, clock::now())
        && !login_dir.has_rejected(&login.access_token))
}

/// Whether a renewal of `login` is due.
pub fn is_due(login: &Login) -> bool {
    login.renew_at().is_some_and(|due| clock::now() >= due)
}

fn matches_username(login: &Login, request: &Credential) -> bool {
    let is_called = |name: &Vec<u8>| login.account().is_named(&String::from_utf8_lossy(name));
    request.username.as_ref().is_none_or(is_called)
}
