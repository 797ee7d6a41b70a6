//! Turns options into what the library takes: the profile, the storage of other hosts' credentials, the caller.

use codex_credential::answer::credential::Credential;
use codex_credential::answer::other_hosts::OtherHosts;
use codex_credential::answer::target::Target;
use codex_credential::cli::GlobalOptions;
use codex_credential::clock::Deadline;
use codex_credential::command_options;
use codex_credential::error::Result;
use codex_credential::profile::{Profile, ProfileSelection};
use codex_credential::quote::{shell, shell_path};
use codex_credential::renewal::caller::{Caller, PROMPT_WAIT};
use codex_credential::storage::keyring::DEFAULT_TIMEOUT;
use codex_credential::ui::Interactive;
use codex_credential::ui::browser::Browser;
use codex_credential::ui::screen::{PromptOptions, Screen};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Returns when the command gives up: after `--wait`, else after `default`.
pub fn deadline(global: &GlobalOptions, default: Duration) -> Deadline {
    Deadline::after(global.wait.unwrap_or(default))
}

pub fn selection(global: &GlobalOptions) -> ProfileSelection {
    ProfileSelection {
        profile: global.profile.clone(),
        config: global.config.clone(),
        account: global.account.clone(),
        host: None,
        keyring_timeout: global.wait.unwrap_or(DEFAULT_TIMEOUT),
    }
}

pub fn profile(global: &GlobalOptions) -> Result<Profile> {
    select(global, selection(global))
}

/// Returns the selected profile. From then on, the commands in hints name it.
pub fn select(global: &GlobalOptions, selection: ProfileSelection) -> Result<Profile> {
    let is_named = selection.profile.is_some();
    let profile = Profile::of(variable, selection)?;
    name_in_hints(global, &profile, is_named);
    Ok(profile)
}

/// Makes the commands in hints name the configuration file, the profile and the account, where the user named them or they
/// follow from the request or the environment.
fn name_in_hints(global: &GlobalOptions, profile: &Profile, is_named: bool) {
    let file = global.config.as_deref().map(|file| shell_path(&absolute(file)));
    let name = (is_named || !profile.is_default).then(|| shell(&profile.name));
    let is_of_profile = profile.account.as_deref() == profile.settings.account.as_deref();
    let account = profile.account.as_deref().filter(|_| !is_of_profile).map(shell);
    let options = [("--config", file), ("--profile", name), ("--account", account)];
    command_options::set(
        options.into_iter().filter_map(|(option, value)| Some((option, value?))).collect(),
    );
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// Returns the profile for the host and the user name of `request`.
///
/// The user name that the profile gives to git selects no account: it is removed from `request`.
pub fn profile_for(global: &GlobalOptions, request: &mut Credential) -> Result<Profile> {
    let selection = ProfileSelection { host: request.profile_host(), ..selection(global) };
    let profile = select(global, selection)?;
    if Target::of(&profile, request) == Target::OurHost {
        request.forget_username(profile.settings.git_username.as_deref());
    }
    match &request.username {
        Some(name) if Target::of(&profile, request) == Target::OurHost => {
            let profile = profile.for_username(&String::from_utf8_lossy(name))?;
            name_in_hints(global, &profile, global.profile.is_some());
            Ok(profile)
        }
        _ => Ok(profile),
    }
}

pub fn other_hosts(profile: &Profile, global: &GlobalOptions) -> OtherHosts {
    OtherHosts {
        storage: profile.other_hosts_storage,
        keyring_timeout: global.wait.unwrap_or(DEFAULT_TIMEOUT),
    }
}

pub fn screen(global: &GlobalOptions, interactive: Interactive, options: PromptOptions) -> Screen {
    let browser = Browser::from_environment(variable);
    Screen::new(interactive, options, browser, global.error_format)
}

/// Describes the caller to the renewal. `deadline` applies unless a user is at the prompt.
pub fn caller(
    global: &GlobalOptions,
    deadline: Deadline,
    interactive: Interactive,
    screen: Screen,
) -> Caller {
    let user_decides = global.wait.is_none() && screen.asks();
    Caller {
        deadline: if user_decides { Deadline::after(PROMPT_WAIT) } else { deadline },
        wait_is_explicit: global.wait.is_some(),
        may_sign_in: interactive != Interactive::Never,
        way: None,
        screen,
        early_renewal: None,
    }
}
