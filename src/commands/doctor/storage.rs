//! Checks who is signed in, and whether the storage can be read and written.

use crate::account_policy;
use crate::clock::{self, Deadline};
use crate::command_options::hint;
use crate::commands::doctor::report::Report;
use crate::configure::codex::names_another_workspace;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::audit_log::{AuditLevel, Log};
use crate::storage::codex_config::{Store, overrides};
use crate::storage::codex_home::CodexHome;
use crate::ui::time_left;
use std::ffi::OsString;
use std::time::Duration;

const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

pub fn check(
    report: &mut Report,
    profile: &Profile,
    variable: &dyn Fn(&str) -> Option<OsString>,
    deadline: &Deadline,
) {
    match profile.storage.load() {
        Err(error) => report.fail("login", &error),
        Ok(None) => {
            let purpose = match profile.storage.shared().read_only_error() {
                Ok(Some(_)) => "to sign in, on a host with role = \"writer\"",
                _ => "to sign in",
            };
            let next = hint(purpose, "codex-credential login");
            report.warn("login", "nobody is signed in", next);
        }
        Ok(Some(login)) => check_login(report, profile, &login),
    }
    if let Some(home) = profile.storage.as_codex() {
        let store = home.config().map(|config| match config.store {
            Store::File => "Codex stores its login in a file",
            Store::Keyring => "Codex stores its login in the keyring",
            Store::Auto => {
                "Codex stores its login in the keyring, or in a file if the keyring fails"
            }
        });
        report.result("codex store", store);
        for name in overrides(variable) {
            let found = format!("{name} is set: Codex uses it in place of the shared login");
            report.warn("codex login", found, format!("unset {name}"));
        }
    }
    // A check must not create a folder whose name may be mistyped.
    match profile.storage.as_codex().map(CodexHome::dir).filter(|dir| !dir.exists()) {
        Some(dir) => report.warn(
            "storage",
            format!("there is no folder {}", dir.display()),
            hint("check CODEX_HOME; to create the folder", "codex-credential login"),
        ),
        None => check_writable(report, profile, deadline),
    }
    for (name, found) in profile.storage.shared().checks(deadline) {
        report.result(name, found);
    }
    if profile.audit > AuditLevel::Nothing {
        report.result("audit", Log::of_user().and_then(|log| log.probe()));
    }
}

/// Checks that a login could be written.
pub fn check_writable(report: &mut Report, profile: &Profile, deadline: &Deadline) {
    let write = || -> Result<String> {
        let storage = &profile.storage;
        storage.sign_in_dir().create()?;
        let described = storage.describe()?;
        if storage.shared().read_only_error()?.is_some() {
            return Ok(format!("{described} can be read; this host does not write there"));
        }
        storage.hold(&deadline.within(LOCK_TIMEOUT))?.probe()?;
        Ok(format!("{described} can be written"))
    };
    report.result("storage", write());
}

fn check_login(report: &mut Report, profile: &Profile, login: &Login) {
    let left = login.lifetime().expires_at.map(|end| end - clock::now());
    let token = match left {
        None => "a token with an unknown lifetime".into(),
        Some(left) if left > 0 => format!("a token valid for {}", time_left(left)),
        Some(left) => format!("a token that expired {} ago", time_left(-left)),
    };
    let allowed = account_policy::check(profile, login);
    report.result("login", allowed.map(|()| format!("{}, with {token}", login.username())));
    if let Some(home) = profile.storage.as_codex()
        && let Some(account_id) = login.account().account_id
        && names_another_workspace(home.dir(), &profile.name, &account_id).unwrap_or_default()
    {
        let found =
            "the model provider of configure names another workspace than that of the login";
        let next = hint("to correct it", "codex-credential configure codex");
        report.warn("codex config", found, next);
    }
}
