//! Which logins Codex's configuration allows: `forced_login_method`, `forced_chatgpt_workspace_id`. Checked before a
//! token is handed out, renewed, adopted or stored. Codex itself signs out on a mismatch; this program does not.

use crate::account::Account;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::codex_config::{CodexConfig, Method};
use crate::storage::codex_home::CodexHome;

/// Codex's configuration rules over Codex's login alone.
fn config(profile: &Profile) -> Result<Option<&CodexConfig>> {
    profile.codex.as_deref().map(CodexHome::config).transpose()
}

/// Whether a ChatGPT login may be used at all.
pub fn check_method(profile: &Profile) -> Result<()> {
    match config(profile)?.and_then(|config| config.login_method) {
        Some(Method::Api) => Err(not_allowed("ChatGPT logins", "api")),
        _ => Ok(()),
    }
}

pub fn check_api_key(profile: &Profile) -> Result<()> {
    match config(profile)?.and_then(|config| config.login_method) {
        Some(Method::ChatGpt) => Err(not_allowed("API keys", "chatgpt")),
        _ => Ok(()),
    }
}

/// Whether `login` is for one of the allowed workspaces, by what is recorded with it and by its own claims.
pub fn check(profile: &Profile, login: &Login) -> Result<()> {
    check_method(profile)?;
    if let Some(wanted) = profile.account.as_ref().filter(|_| !profile.means(login)) {
        return Err(wrong_account(login, wanted));
    }
    let Some(config) = config(profile)?.filter(|config| !config.workspaces.is_empty()) else {
        return Ok(());
    };
    let tokens = [login.id_token.as_ref(), Some(&login.access_token)].into_iter().flatten();
    let claimed = Account::of(tokens.map(|token| token.expose().as_str())).account_id;
    let used = [login.recorded.account_id.clone(), claimed];
    for used in used.into_iter().flatten() {
        if !config.workspaces.contains(&used) {
            return Err(wrong_workspace(&used, login, &config.workspaces));
        }
    }
    Ok(())
}

fn not_allowed(what: &str, method: &str) -> Error {
    let message =
        format!("Codex's config.toml does not allow {what} (forced_login_method = \"{method}\")");
    Error::new(Kind::WrongAccount, message)
        .hint("`codex login --help` shows the other ways to sign in")
}

fn wrong_account(login: &Login, wanted: &str) -> Error {
    let used = login.account();
    let message = format!("the login is of {}, and {wanted} was asked for", used.username());
    Error::new(Kind::WrongAccount, message).hint(format!(
        "run codex-credential login --account {wanted}, and open the page in a private window"
    ))
}

fn wrong_workspace(used: &str, login: &Login, wanted: &[String]) -> Error {
    let message = format!(
        "the login of {} is for the workspace {used}, and Codex's config.toml allows {} only \
         (forced_chatgpt_workspace_id)",
        login.account().username(),
        wanted.join(", "),
    );
    Error::new(Kind::WrongAccount, message).hint(
        "run codex-credential login, open the page in a private window, and choose the right workspace",
    )
}
