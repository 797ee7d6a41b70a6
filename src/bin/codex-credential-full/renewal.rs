//! `renew`: by hand, and as the renewal process.

use crate::options::{caller, deadline, profile, screen, variable};
use codex_credential::audit;
use codex_credential::cli::GlobalOptions;
use codex_credential::clock::Deadline;
use codex_credential::commands;
use codex_credential::error::{Error, Result};
use codex_credential::profile::{Profile, ProfileSelection};
use codex_credential::renewal;
use codex_credential::renewal::renewal_request::RenewalRequest;
use codex_credential::ui::Interactive;
use codex_credential::ui::screen::PromptOptions;
use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

/// `renew` by hand waits for its renewal to end: a timer that started it may kill what it leaves behind.
const RENEW_WAIT: Duration = Duration::from_secs(2 * 60);

pub fn renew(global: &GlobalOptions, request: Option<RenewalRequest>) -> Result<()> {
    if let Some(request) = request {
        return run(request);
    }
    let profile = profile(global)?;
    let mut renew = |profile: &Profile| renew_stored(global, profile, deadline(global, RENEW_WAIT));
    let result = renew(&profile);
    result.and(commands::switch::renew_parked(&profile, &mut renew))
}

/// Renews the stored login if it is due, without asking the user.
pub fn renew_stored(global: &GlobalOptions, profile: &Profile, deadline: Deadline) -> Result<()> {
    let screen = screen(global, Interactive::Never, PromptOptions::default());
    let mut caller = caller(global, deadline, Interactive::Never, screen);
    commands::renew::renew(profile, &mut caller)
}

/// Runs the renewal process. Its error goes to the process that started it, as JSON on standard output.
fn run(request: RenewalRequest) -> Result<()> {
    audit::on_behalf_of(&request.caller);
    let codex_home = OsString::from(request.codex_home);
    let variable = |name: &str| match name {
        "CODEX_HOME" => Some(codex_home.clone()),
        _ => variable(name),
    };
    let selection = ProfileSelection {
        profile: Some(request.profile),
        config: request.config.map(|path| OsString::from(path).into()),
        account: request.account,
        host: None,
        keyring_timeout: RENEW_WAIT,
    };
    let profile = Profile::of(variable, selection).and_then(|profile| match request.storage {
        Some(kind) if kind != profile.storage_kind() => profile.with_storage(kind),
        _ => Ok(profile),
    });
    let result = profile.and_then(|mut profile| {
        profile.token = request.token;
        renewal::run::run(&profile, &request.goal)
    });
    if let Err(error) = &result {
        report(error);
    }
    result
}

/// Reports the error of the renewal process to the process that started it.
pub fn report(error: &Error) {
    let _ = writeln!(io::stdout(), "{}", serde_json::json!(error));
}
