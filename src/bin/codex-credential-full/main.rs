//! The full program: arguments, environment and standard streams come in, an exit code goes out; nothing else has
//! process state.

mod call;
mod docker;
mod hand_out;
mod profiles;
mod renewal;
mod streams;
mod tools;

use call::{PERSONS_PATIENCE, caller, extras, foreign, profile, profile_for, variable};
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use codex_credential::answer;
use codex_credential::answer::credential::Credential;
use codex_credential::answer::other_hosts::OtherHosts;
use codex_credential::cli::{self, Cli, Operation, PROGRAMS_PATIENCE, ProfileOptions};
use codex_credential::clock::Deadline;
use codex_credential::commands;
use codex_credential::commands::doctor;
use codex_credential::commands::import;
use codex_credential::commands::logout::Removal;
use codex_credential::commands::status::Status;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::hardening;
use codex_credential::profile::Profile;
use codex_credential::renewal::session;
use codex_credential::trace;
use codex_credential::ui::screen::Screen;
use codex_credential::ui::{self, ErrorFormat, Interactive};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use streams::{cannot_write, print, request};

/// `logout` and `move` let a renewal that is under way finish.
const LOGOUT_PATIENCE: Duration = Duration::from_secs(30);

/// musl's own asks the kernel for each block of a middling size, and gives it back: a hundred system calls before a caller
/// waits for its turn.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hardening::protect_process();
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(arguments) = docker::arguments(&words) {
        trace(false);
        return docker::run(arguments);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let error_format = cli.error_format;
    trace(cli.verbose);
    match run(cli.operation, &cli.whose) {
        Ok(code) => code,
        Err(error) => {
            error_format.show(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// A command line that is not understood, told in the form that it may ask for all the same; or help.
fn refused(error: &clap::Error) -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let is_json = |words: &[OsString]| words == ["--error-format", "json"];
    let wants_json =
        words.windows(2).any(is_json) || words.iter().any(|it| it == "--error-format=json");
    if !(error.use_stderr() && wants_json) {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let error = Error::new(Kind::Usage, what).hint("codex-credential --help lists what there is");
    ErrorFormat::Json.show(&error);
    ExitCode::from(error.kind.exit_code())
}

fn run(operation: Operation, whose: &ProfileOptions) -> Result<ExitCode> {
    let done = match operation {
        Operation::Get(options) => hand_out::get(whose, &options),
        Operation::Store(wait) => {
            let deadline = Deadline::after(wait.wait.unwrap_or(PROGRAMS_PATIENCE));
            let given = request(deadline)?;
            let profile = profile_for(whose, wait.wait, &given)?;
            store(&profile, &foreign(&profile, wait.wait), &given, &deadline)
        }
        Operation::Erase(options) => erase(whose, &options),
        Operation::Capability => print("version 0\ncapability authtype\ncapability state\n"),
        Operation::Login(options) => login(whose, &options),
        Operation::Exec(options) => return hand_out::exec(whose, &options),
        Operation::Status(options) => return status(whose, &options),
        Operation::Audit(options) => {
            commands::audit::audit(options.since, options.json).and_then(|text| print(&text))
        }
        Operation::Doctor(options) => return doctor(whose, &options),
        Operation::Logout(wait) => {
            let removal = Removal { revoke: true, ask: false };
            let deadline = Deadline::after(wait.wait.unwrap_or(LOGOUT_PATIENCE));
            commands::logout::remove(&profile(whose, wait.wait)?, removal, &deadline)
        }
        Operation::Move(options) => {
            let deadline = Deadline::after(options.wait.wait.unwrap_or(LOGOUT_PATIENCE));
            let profile = profile(whose, options.wait.wait)?;
            commands::move_login::move_login(&profile, options.to, &deadline)
        }
        Operation::Export(options) => hand_out::export(whose, &options),
        Operation::Import(options) => import(whose, options),
        Operation::Fleet(cli::Fleet::Status(options)) => fleet_status(whose, &options),
        Operation::Profile(command) => return profiles::run(whose, command),
        Operation::Renew(options) => renewal::renew(whose, options),
        Operation::Configure(options) => tools::configure(whose, options),
        Operation::Unconfigure(options) => tools::unconfigure(whose, options),
        Operation::Completions(options) => completions(options.shell),
        Operation::Other(words) => unknown(&words),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn store(
    profile: &Profile,
    other_hosts: &OtherHosts,
    given: &Credential,
    deadline: &Deadline,
) -> Result<()> {
    match answer::store::store(profile, other_hosts, given, deadline)? {
        Some(newer) => session::store_token(profile, newer, deadline),
        None => Ok(()),
    }
}

/// A trace that cannot be written keeps nobody from an answer.
fn trace(verbose: bool) {
    let file = variable("CODEX_CREDENTIAL_TRACE").filter(|file| !file.is_empty());
    if (verbose || file.is_some())
        && let Err(error) = trace::start(verbose, file.as_ref().map(Path::new))
    {
        let file = file.unwrap_or_default();
        ui::say(&Error::io("write the trace", Path::new(&file), error).text());
    }
}

fn login(whose: &ProfileOptions, options: &cli::Login) -> Result<()> {
    let profile = profile(whose, options.wait.wait)?;
    if options.cancel {
        return commands::login::cancel(&profile);
    }
    let interactive = Interactive::Always;
    let screen = if options.json {
        Screen::events()
    } else {
        Screen::new(interactive, extras(&options.extras))
    };
    let deadline = Deadline::after(options.wait.wait.unwrap_or(PROGRAMS_PATIENCE));
    let mut caller = caller(&options.wait, deadline, interactive, screen);
    commands::login::login(&profile, &mut caller).map(drop)
}

fn erase(whose: &ProfileOptions, options: &cli::Erase) -> Result<()> {
    let by_hand = io::stdin().is_terminal() && !options.yes;
    let patience = if by_hand { PERSONS_PATIENCE } else { PROGRAMS_PATIENCE };
    let deadline = Deadline::after(options.wait.wait.unwrap_or(patience));
    let named = request(deadline)?;
    let profile = profile_for(whose, options.wait.wait, &named)?;
    if !named.names_something() && (by_hand || options.yes) {
        let removal = Removal { revoke: options.revoke, ask: by_hand };
        return commands::logout::remove(&profile, removal, &deadline);
    }
    let foreign = foreign(&profile, options.wait.wait);
    answer::erase::erase(&profile, &foreign, &named, &deadline).map(drop)
}

/// Exits 0 when signed in, 3 when not; 1 when it cannot be told.
fn status(whose: &ProfileOptions, options: &cli::Status) -> Result<ExitCode> {
    let status = Status::of(&profile(whose, None)?)?;
    let text = if options.json { format!("{}\n", status.json()) } else { status.text() };
    print(&text)?;
    if status.is_signed_in() {
        return Ok(ExitCode::SUCCESS);
    }
    if !options.json && !status.is_pending() {
        ui::line("hint: to sign in, run: codex-credential login");
    }
    Ok(ExitCode::from(3))
}

/// Exits 1 when something failed.
fn doctor(whose: &ProfileOptions, options: &cli::Doctor) -> Result<ExitCode> {
    if let Some(path) = &options.try_lock {
        return doctor::locks::try_lock(path).map(ExitCode::from);
    }
    let (text, code) =
        doctor::Report::of(profile(whose, None), &variable).report(options.json, options.show);
    print(&text)?;
    Ok(ExitCode::from(code))
}

fn import(whose: &ProfileOptions, options: cli::Import) -> Result<()> {
    let profile = profile(whose, options.wait.wait)?;
    let copy = match options.remove {
        true => import::Copy::Remove,
        false if io::stdin().is_terminal() => import::Copy::Ask,
        false => import::Copy::Keep,
    };
    let deadline = Deadline::after(options.wait.wait.unwrap_or(LOGOUT_PATIENCE));
    let file = options.file.unwrap_or_else(|| profile.codex_home().join("auth.json"));
    import::import(&profile, &file, copy, &deadline)
}

fn fleet_status(whose: &ProfileOptions, options: &cli::Status) -> Result<()> {
    let status = commands::fleet::Status::of(&profile(whose, None)?)?;
    print(&if options.json { format!("{}\n", status.json()) } else { status.text() })
}

fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "codex-credential", &mut script);
    io::stdout().write_all(&script).map_err(cannot_write)
}

/// git adds operations over time and expects helpers to pass over them in silence; a person who mistypes one
/// expects to be told.
fn unknown(words: &[OsString]) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    Err(Error::new(Kind::Usage, format!("there is no operation {word}"))
        .hint("codex-credential --help lists them"))
}
