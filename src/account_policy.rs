//! Which logins are allowed: those of the wanted account and workspace, and those that Codex's configuration allows
//! (`forced_login_method`, `forced_chatgpt_workspace_id`). Checked before a token is handed out, renewed or stored. Codex
//! signs out on a mismatch; this program does not.

use crate::account::{Account, AccountRules};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::quote::shell;
use crate::storage::codex_config::{CodexConfig, LoginMethod};
use crate::storage::codex_home::CodexHome;

const BY_OPTION: &str = "--account";

/// Returns Codex's configuration where it rules: over Codex's login alone.
fn config(profile: &Profile) -> Result<Option<&CodexConfig>> {
    profile.storage.as_codex().map(CodexHome::config).transpose()
}

/// Checks whether logins of the kind `method` may be used at all.
pub fn check_method(profile: &Profile, method: LoginMethod) -> Result<()> {
    let (what, other) = match method {
        LoginMethod::ChatGpt => ("ChatGPT logins", "api"),
        LoginMethod::Api => ("API keys", "chatgpt"),
    };
    let forced = config(profile)?.and_then(|config| config.login_method);
    if forced.is_none_or(|forced| forced == method) {
        return Ok(());
    }
    let message =
        format!("Codex's config.toml does not allow {what} (forced_login_method = \"{other}\")");
    Err(Error::new(Kind::WrongAccount, message)
        .hint("`codex login --help` shows the other ways to sign in"))
}

/// Returns the rules of a request with this profile.
pub fn rules(profile: &Profile) -> AccountRules {
    AccountRules {
        account: profile.account.clone(),
        required_account: profile.settings.account.clone().map(Into::into),
        required_workspace: profile.settings.workspace.clone().map(Into::into),
    }
}

/// Returns the workspace that a sign-in with this profile has to choose, if only one is allowed.
pub fn only_workspace(profile: &Profile) -> Result<Option<String>> {
    if let Some(workspace) = &profile.settings.workspace {
        return Ok(Some(workspace.to_string()));
    }
    Ok(match config(profile)?.map(|config| config.workspaces.as_slice()) {
        Some([workspace]) => Some(workspace.clone()),
        _ => None,
    })
}

/// Checks `login` by the rules of this request.
pub fn check(profile: &Profile, login: &Login) -> Result<()> {
    check_by(profile, &rules(profile), login)
}

/// Checks `login` by the rules of the request that brought it, and by the rules of its storage. What is recorded with
/// the login and what its tokens claim must both be allowed.
pub fn check_by(profile: &Profile, rules: &AccountRules, login: &Login) -> Result<()> {
    check_method(profile, LoginMethod::ChatGpt)?;
    for (wanted, said_by) in wanted_accounts(profile, rules) {
        let account = login.account();
        // The user's own name for an account is no proof for the configuration.
        if said_by == BY_OPTION && account.is_labelled(&wanted) {
            continue;
        }
        if account.is_unknown() {
            return Err(unknown_account(&wanted, said_by));
        }
        if account.has_unverified(&wanted) {
            return Err(unverified_address(&account, &wanted, said_by));
        }
        if !account.is_named(&wanted) {
            return Err(wrong_account(&account, &wanted, said_by));
        }
    }
    if let Some(wanted) = &rules.required_workspace {
        check_workspace(login, std::slice::from_ref(wanted), "workspace in config.toml")?;
    }
    let config = config(profile)?.filter(|config| !config.workspaces.is_empty());
    config.map_or(Ok(()), |config| {
        let said_by = "forced_chatgpt_workspace_id in Codex's config.toml";
        check_workspace(login, &config.workspaces, said_by)
    })
}

/// Returns each wanted account with the place that names it.
fn wanted_accounts(profile: &Profile, rules: &AccountRules) -> Vec<(String, &'static str)> {
    let required = rules.required_account.clone().map(|it| (it, "account in config.toml"));
    let named = rules.account.clone().filter(|name| Some(name) != rules.required_account.as_ref());
    let mut named = named.map(|wanted| (wanted, BY_OPTION));
    if named.is_none()
        && let Some(home) = profile.storage.as_codex()
    {
        // The pin of another user, whose login this user may read, cannot be read and does not count.
        let pinned = home.login_dir().pinned().load().ok().flatten();
        named =
            pinned.map(|wanted| (wanted, "login --account; another login --account changes that"));
    }
    required.into_iter().chain(named).collect()
}

/// Pins Codex's login to the account that its sign-in named. Our own storages keep each account by itself.
pub fn pin(profile: &Profile, rules: &AccountRules) -> Result<()> {
    match (profile.storage.as_codex(), &rules.account) {
        (Some(home), Some(name)) if rules.required_account.as_ref() != Some(name) => {
            home.login_dir().create()?;
            home.login_dir().pinned().save(name)
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

fn wrong_workspace(used: &str, login: &Login, wanted: &[String], said_by: &str) -> Error {
    let message = format!(
        "the login of {} is for the workspace {used}, and {} only is allowed ({said_by})",
        login.account().username(),
        wanted.join(", "),
    );
    Error::new(Kind::WrongAccount, message)
        .run("to choose the right workspace, in a private window", "codex-credential login")
}

fn wrong_account(used: &Account, wanted: &str, said_by: &str) -> Error {
    let message =
        format!("the login is of {}, and {wanted} is wanted ({said_by})", used.username());
    let again = if said_by == BY_OPTION {
        format!(" {BY_OPTION} {}", shell(wanted))
    } else {
        String::new()
    };
    Error::new(Kind::WrongAccount, message).run(
        &format!("to sign in as {wanted}, in a private window"),
        &format!("codex-credential login{again}"),
    )
}

fn unverified_address(used: &Account, wanted: &str, said_by: &str) -> Error {
    let message = format!(
        "the issuer does not say that {wanted} was verified (email_verified), and {wanted} is wanted ({said_by})"
    );
    let hint = match used.user_id.as_deref() {
        Some(id) => format!("if this is the right user, name the account by its id: {id}"),
        None => "ask the issuer's administrator to verify the address".to_owned(),
    };
    Error::new(Kind::WrongAccount, message).hint(hint)
}

fn unknown_account(wanted: &str, said_by: &str) -> Error {
    let message =
        format!("the issuer does not say whose login it is, and {wanted} is wanted ({said_by})");
    Error::new(Kind::WrongAccount, message)
        .hint("ask it with scope = \"openid email\" in the profile, or take the account out")
}
