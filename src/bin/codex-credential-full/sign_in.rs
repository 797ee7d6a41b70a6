//! `login`, `status`, `logout` and `doctor`.

use crate::options::{caller, deadline, profile, screen, variable};
use crate::renewal;
use crate::stdio::print;
use codex_credential::cli::options::{Doctor, Login, Status as StatusOptions, Switch};
use codex_credential::cli::{DEFAULT_WAIT, GlobalOptions};
use codex_credential::commands;
use codex_credential::commands::doctor;
use codex_credential::commands::logout::Removal;
use codex_credential::commands::session::{self, Session};
use codex_credential::commands::status::Status;
use codex_credential::error::Result;
use codex_credential::profile::Profile;
use codex_credential::storage::codex_config::overrides;
use codex_credential::ui::screen::Screen;
use codex_credential::ui::{self, Interactive, SignInWay};
use std::process::ExitCode;
use std::time::Duration;

/// How long a command waits that changes the login, or checks everything.
pub const CHANGE_WAIT: Duration = Duration::from_secs(30);

pub fn login(global: &GlobalOptions, options: &Login) -> Result<()> {
    let profile = profile(global)?;
    if options.cancel {
        return commands::login::cancel(&profile, &deadline(global, CHANGE_WAIT));
    }
    let interactive = Interactive::Always;
    let screen =
        if options.json { Screen::events() } else { screen(global, interactive, options.prompt) };
    let is_terminal = screen.is_terminal();
    let mut caller = caller(global, deadline(global, DEFAULT_WAIT), interactive, screen);
    caller.way = match (options.browser, options.paste) {
        (true, _) => Some(SignInWay::Browser),
        (_, true) => Some(SignInWay::Paste),
        _ => None,
    };
    let login = commands::login::login(&profile, &mut caller)?;
    if is_terminal {
        say_session(&Session::check(&profile, &login, &deadline(global, CHANGE_WAIT)));
    }
    Ok(())
}

fn say_session(session: &Session) {
    if let Session::NotChecked(_) = session {
        return;
    }
    ui::say(&format!("the session is {}", session.text()));
    say_hint(session);
}

fn say_hint(session: &Session) {
    if let Some(hint) = session.error().and_then(|error| error.completed().hint) {
        ui::line(&format!("hint: {hint}"));
    }
}

/// Exits with 0 if the user is signed in, with 3 if not; with `--check`, as the session is.
pub fn status(global: &GlobalOptions, options: &StatusOptions) -> Result<ExitCode> {
    let profile = profile(global)?;
    let mut status = Status::of(&profile)?;
    if (options.check || options.usage) && status.is_signed_in() {
        status = ask(global, options, &profile, status)?;
    }
    if profile.storage.as_codex().is_some() {
        status.overridden_by = overrides(&variable);
    }
    let text = if options.json { format!("{}\n", status.json()) } else { status.text() };
    print(&text)?;
    match &status.session {
        _ if options.json => {}
        Some(session) => say_hint(session),
        None if !status.is_signed_in() && status.pending.is_none() => {
            ui::hint("to sign in", "codex-credential login");
        }
        None => {}
    }
    Ok(ExitCode::from(status.exit_code()))
}

/// Asks servers about the login. An expired access token is renewed first.
fn ask(
    global: &GlobalOptions,
    options: &StatusOptions,
    profile: &Profile,
    mut status: Status,
) -> Result<Status> {
    let deadline = deadline(global, CHANGE_WAIT);
    if !status.has_usable_token() {
        let renewed = renewal::renew_stored(global, profile, deadline);
        status = Status::of(profile)?;
        if let Err(error) = renewed {
            status.usage = options.usage.then(|| Err(error.text()));
            status.session = options.check.then(|| Session::of_error(error));
            return Ok(status);
        }
    }
    if let Some(login) = &status.login {
        status.session = options.check.then(|| Session::check(profile, login, &deadline));
        status.usage = options.usage.then(|| session::usage(profile, login, &deadline));
    }
    Ok(status)
}

pub fn switch(global: &GlobalOptions, options: &Switch) -> Result<()> {
    let profile = profile(global)?;
    let Some(name) = &options.account_name else {
        return print(&commands::switch::list(&profile, options.json)?);
    };
    let deadline = deadline(global, CHANGE_WAIT);
    let mut renew = |profile: &Profile| renewal::renew_stored(global, profile, deadline);
    commands::switch::switch(&profile, name, &deadline, &mut renew)
}

pub fn logout(global: &GlobalOptions) -> Result<()> {
    let removal = Removal { revoke: true, ask: false };
    commands::logout::remove(&profile(global)?, removal, &deadline(global, CHANGE_WAIT))
}

/// Exits with 1 if a check failed.
pub fn doctor(global: &GlobalOptions, options: &Doctor) -> Result<ExitCode> {
    if let Some(path) = &options.try_lock {
        return doctor::locks::try_lock(path).map(ExitCode::from);
    }
    let report = doctor::run(profile(global), &variable, &deadline(global, CHANGE_WAIT));
    let (text, code) = report.report(options.json, options.show);
    print(&text)?;
    Ok(ExitCode::from(code))
}
