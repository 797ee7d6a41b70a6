//! `get`, `exec` and `export` hand out a token.

use crate::call::{caller, extras, foreign, profile_for, variable};
use crate::streams::{cannot_write, input};
use codex_credential::answer;
use codex_credential::answer::credential::Credential;
use codex_credential::answer::get::Answer;
use codex_credential::audit::{self, Action};
use codex_credential::cli::{self, MIN_VALIDITY, PROGRAMS_PATIENCE, ProfileOptions};
use codex_credential::clock::{self, Deadline};
use codex_credential::commands;
use codex_credential::commands::exec::Variable;
use codex_credential::error::Result;
use codex_credential::login::Login;
use codex_credential::ui::screen::Screen;
use codex_credential::ui::{self, Interactive};
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use zeroize::Zeroizing;

pub fn get(whose: &ProfileOptions, options: &cli::Get) -> Result<()> {
    let format = options.format;
    let read =
        |deadline| input(deadline).map_or(Ok(Credential::default()), |input| format.read(input));
    let (asked, found) = wanted(whose, &options.wanted, read)?;
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
            format.write(&mut *answer, &asked, login, exec_info)
        }
        Answer::OtherHosts(credential) => format.write_foreign(&mut *answer, credential),
        Answer::Nothing => format.write_nothing(&mut *answer),
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
    let nothing = |_| Ok(Credential::default());
    match wanted(whose, options, nothing)? {
        (_, Answer::Login(login)) => Ok(login),
        _ => unreachable!("the default profile answers a request that names nothing"),
    }
}

/// What `get` and those have in common.
fn wanted(
    whose: &ProfileOptions,
    wanted: &cli::TokenOptions,
    asked: impl FnOnce(Deadline) -> Result<Credential>,
) -> Result<(Credential, Answer)> {
    let patience = wanted.remaining.or(wanted.wait.wait).unwrap_or(PROGRAMS_PATIENCE);
    let deadline = Deadline::after(patience);
    let asked = asked(deadline)?;
    let profile = profile_for(whose, wanted.wait.wait, &asked)?;
    let interactive = match wanted.interactive {
        Some(interactive) => interactive,
        None => Interactive::of(variable, profile.interactive)?,
    };
    let screen = Screen::new(interactive, extras(&wanted.extras));
    let mut caller = caller(&wanted.wait, deadline, interactive, screen);
    if let Some(token) = &wanted.rejected_sha256
        && let Some((stored, _)) = answer::get::stored(&profile)?
    {
        answer::erase::refuse(&profile, &stored, token)?;
    }
    let min_validity = clock::seconds(wanted.min_validity.unwrap_or(MIN_VALIDITY));
    let foreign = foreign(&profile, wanted.wait.wait);
    let found = answer::get::get(&profile, &foreign, &asked, min_validity, &mut caller)?;
    if let Answer::Login(login) = &found {
        audit::note(&profile, Action::HandOut, Some(login), None);
    }
    Ok((asked, found))
}
