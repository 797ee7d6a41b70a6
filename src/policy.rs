//! Which logins are allowed: those of the account that is wanted, and those that Codex's configuration has
//! (`forced_login_method`, `forced_chatgpt_workspace_id`). Checked before a token is handed out, renewed, adopted or
//! stored. Codex itself signs out on a mismatch; this program does not.

use crate::account::Account;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::codex_config::{CodexConfig, LoginMethod};
use crate::storage::codex_home::CodexHome;
use crate::storage::login_dir::LoginDir;

/// What names the account that is wanted for one command.
const BY_OPTION: &str = "--account";

/// Codex's configuration rules over Codex's login alone.
fn config(profile: &Profile) -> Result<Option<&CodexConfig>> {
    profile.storage.as_codex().map(CodexHome::config).transpose()
}

/// Whether a ChatGPT login may be used at all.
pub fn check_method(profile: &Profile) -> Result<()> {
    match config(profile)?.and_then(|config| config.login_method) {
        Some(LoginMethod::Api) => Err(not_allowed("ChatGPT logins", "api")),
        _ => Ok(()),
    }
}

pub fn check_api_key(profile: &Profile) -> Result<()> {
    match config(profile)?.and_then(|config| config.login_method) {
        Some(LoginMethod::ChatGpt) => Err(not_allowed("API keys", "chatgpt")),
        _ => Ok(()),
    }
}

/// Whether `login` is of the account and the workspace that are wanted, by what is recorded with it and by its own
/// claims.
pub fn check(profile: &Profile, login: &Login) -> Result<()> {
    check_method(profile)?;
    for (wanted, said_by) in wanted_accounts(profile)? {
        let account = login.account();
        if account.is_unknown() {
            return Err(unknown_account(&wanted, said_by));
        }
        if !account.is_named(&wanted) {
            return Err(wrong_account(&account, &wanted, said_by));
        }
    }
    if let Some(wanted) = profile.settings.workspace.clone() {
        check_workspace(login, &[wanted.into()], "workspace in config.toml")?;
    }
    let config = config(profile)?.filter(|config| !config.workspaces.is_empty());
    config.map_or(Ok(()), |config| {
        let said_by = "forced_chatgpt_workspace_id in Codex's config.toml";
        check_workspace(login, &config.workspaces, said_by)
    })
}

/// Each with the place where that is said.
fn wanted_accounts(profile: &Profile) -> Result<Vec<(String, &'static str)>> {
    let by_config = profile.settings.account.clone();
    let by_config = by_config.map(|wanted| (wanted.into(), "account in config.toml"));
    let named = profile
        .account
        .clone()
        .filter(|name| Some(name.as_str()) != profile.settings.account.as_deref());
    let mut named = named.map(|wanted| (wanted, BY_OPTION));
    if named.is_none()
        && let Some(home) = profile.storage.as_codex()
    {
        let pinned = home.login_dir().pinned().load()?;
        named =
            pinned.map(|wanted| (wanted, "login --account; another login --account changes that"));
    }
    Ok(by_config.into_iter().chain(named).collect())
}

/// From a sign-in for a named account on, Codex's login has to be of that account. (Our own storages keep each account
/// by itself.)
pub fn pin(profile: &Profile, login_dir: &LoginDir) -> Result<()> {
    match &profile.account {
        Some(name)
            if profile.storage.as_codex().is_some()
                && profile.settings.account.as_deref() != Some(name) =>
        {
            login_dir.pinned().save(name)
        }
        _ => Ok(()),
    }
}

fn check_workspace(login: &Login, allowed: &[String], said_by: &str) -> Result<()> {
    let claimed = login.account_in_tokens().account_id;
    let used: Vec<String> =
        [login.stored_account.account_id.clone(), claimed].into_iter().flatten().collect();
    match used.iter().find(|used| !allowed.contains(used)) {
        Some(used) => Err(wrong_workspace(used, login, allowed, said_by)),
        None => Ok(()),
    }
}

fn not_allowed(what: &str, method: &str) -> Error {
    let message =
        format!("Codex's config.toml does not allow {what} (forced_login_method = \"{method}\")");
    Error::new(Kind::WrongAccount, message)
        .hint("`codex login --help` shows the other ways to sign in")
}

fn wrong_workspace(used: &str, login: &Login, wanted: &[String], said_by: &str) -> Error {
    let message = format!(
        "the login of {} is for the workspace {used}, and {} only is allowed ({said_by})",
        login.account().username(),
        wanted.join(", "),
    );
    Error::new(Kind::WrongAccount, message).hint(
        "run codex-credential login, open the page in a private window, and choose the right workspace",
    )
}

fn wrong_account(used: &Account, wanted: &str, said_by: &str) -> Error {
    let message =
        format!("the login is of {}, and {wanted} is wanted ({said_by})", used.username());
    let again = if said_by == BY_OPTION { format!(" {BY_OPTION} {wanted}") } else { String::new() };
    Error::new(Kind::WrongAccount, message).hint(format!(
        "run codex-credential login{again}, open the page in a private window, and sign in as {wanted}"
    ))
}

fn unknown_account(wanted: &str, said_by: &str) -> Error {
    let message =
        format!("the issuer does not say whose login it is, and {wanted} is wanted ({said_by})");
    Error::new(Kind::WrongAccount, message)
        .hint("ask it with scope = \"openid email\" in the profile, or take the account out")
}
