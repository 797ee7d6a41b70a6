//! `get`, `exec` and `export` hand out a token.

use crate::call::{caller, extras, foreign, profile as default_profile, profile_for, variable};
use crate::streams::{cannot_write, input};
use codex_credential::answer;
use codex_credential::answer::formats::Format;
use codex_credential::answer::get::Answer;
use codex_credential::answer::request::Request;
use codex_credential::audit::{self, Action};
use codex_credential::cli::{self, MIN_VALIDITY, PROGRAMS_PATIENCE, ProfileOptions};
use codex_credential::clock::{self, Deadline};
use codex_credential::commands;
use codex_credential::commands::exec::Variable;
use codex_credential::error::Result;
use codex_credential::login::Login;
use codex_credential::storage::host_credentials::GitStorage;
use codex_credential::ui::screen::Screen;
use codex_credential::ui::{self, Interactive};
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use zeroize::Zeroizing;

pub fn get(whose: &ProfileOptions, options: &cli::Get) -> Result<()> {
    let nothing = || Request { format: options.format.unwrap_or_default(), ..Request::default() };
    let read = |deadline| match input(deadline) {
        Some(input) => Request::read(options.format, input),
        None => Ok(nothing()),
    };
    let (request, found) = wanted(whose, &options.wanted, read)?;
    if let Some(what) = found.in_words()
        && io::stdout().is_terminal()
        && !options.show
    {
        ui::say(&format!("there is {what}; add --show to print it on this terminal"));
        return Ok(());
    }
    // Whole or not at all.
    let mut answer = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let written = match &found {
        Answer::Login(login) => {
            let exec_info = variable("KUBERNETES_EXEC_INFO");
            let exec_info = exec_info.as_deref().and_then(OsStr::to_str);
            request.write(&mut *answer, login, exec_info)
        }
        Answer::OtherHosts(credential) => request.format.write_foreign(&mut *answer, credential),
        Answer::Nothing => request.format.write_nothing(&mut *answer),
    };
    written.and_then(|()| io::stdout().write_all(&answer)).map_err(cannot_write)
}

/// The command gets standard input; nothing is read from it here.
pub fn exec(whose: &ProfileOptions, options: &cli::Exec) -> Result<ExitCode> {
    let login = wanted_login(whose, &options.wanted)?;
    let default = [Variable::default()];
    let variables = if options.env.is_empty() { &default[..] } else { &options.env };
    commands::exec::exec(&login, variables, &options.command)
}

pub fn export(whose: &ProfileOptions, options: &cli::Export) -> Result<()> {
    let login = wanted_login(whose, &options.wanted)?;
    if io::stdout().is_terminal() && !options.show {
        ui::say("there is a token; add --show to print it on this terminal");
        return Ok(());
    }
    let bundle = commands::export::bundle(&login, options.format)?;
    io::stdout().write_all(&bundle).map_err(cannot_write)
}

/// What `exec` and `export` have in common: nothing is read from standard input.
fn wanted_login(whose: &ProfileOptions, options: &cli::TokenOptions) -> Result<Login> {
    let nothing = |_| Ok(Request::default());
    match wanted(whose, options, nothing)? {
        (_, Answer::Login(login)) => Ok(login),
        _ => unreachable!("the default profile answers a request that names nothing"),
    }
}

/// What `get` and those have in common.
pub fn wanted(
    whose: &ProfileOptions,
    wanted: &cli::TokenOptions,
    read: impl FnOnce(Deadline) -> Result<Request>,
) -> Result<(Request, Answer)> {
    let patience = wanted.remaining.or(wanted.wait.wait).unwrap_or(PROGRAMS_PATIENCE);
    let deadline = Deadline::after(patience);
    let request = read(deadline)?;
    let profile = profile_for(whose, wanted.wait.wait, &request.credential)?;
    let interactive = match wanted.interactive {
        Some(interactive) => interactive,
        // Bazel shows the user nothing before the helper has ended.
        None if request.format == Format::Bazel => Interactive::Never,
        None => Interactive::from_environment(variable, profile.settings.interactive)?,
    };
    let screen = Screen::new(interactive, extras(&wanted.extras));
    let mut caller = caller(&wanted.wait, deadline, interactive, screen);
    if let Some(token) = &wanted.rejected_sha256
        && let Some((stored, _)) = answer::get::stored(&profile)?
    {
        answer::erase::refuse(&profile, &stored, token)?;
    }
    let min_validity = clock::seconds(wanted.min_validity.unwrap_or(MIN_VALIDITY));
    let mut foreign = foreign(&profile, wanted.wait.wait);
    if request.format != Format::Git {
        // What git keeps for other hosts is for git.
        foreign.storage = GitStorage::None;
    }
    let asked = &request.credential;
    let found = answer::get::get(&profile, &foreign, asked, min_validity, &mut caller).map_err(
        |error| match default_profile(whose, None) {
            Ok(default) if default.name == profile.name => error,
            _ => error.for_profile(&profile.name),
        },
    )?;
    if let Answer::Login(login) = &found {
        audit::note(&profile, Action::HandOut, Some(login), None);
    }
    Ok((request, found))
}
