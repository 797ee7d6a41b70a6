//! The full program: takes arguments, environment and standard streams, and returns an exit code.

mod advanced;
mod docker;
mod git_protocol;
mod obtain;
mod options;
mod profiles;
mod renewal;
mod sign_in;
mod stdio;
mod tools;
mod use_token;

use codex_credential::cli::{Cli, Fleet, GlobalOptions, Operation};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::hardening;
use codex_credential::trace;
use codex_credential::ui::{self, ErrorFormat};
use options::variable;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// musl's own allocator asks the kernel for each block of medium size.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hardening::protect_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(arguments) = docker::arguments(&arguments) {
        start_trace(false);
        return docker::run(arguments);
    }
    let cli = match Cli::parse_arguments(&arguments) {
        Ok(cli) => cli,
        Err(error) => return show_clap_error(&error, &arguments),
    };
    start_trace(cli.verbose);
    run(cli.operation, &cli.global).unwrap_or_else(|error| {
        cli.error_format.show(&error);
        ExitCode::from(error.kind.exit_code())
    })
}

/// Shows clap's error or help. The arguments may ask for errors in JSON although clap did not accept them.
fn show_clap_error(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let wants_json = arguments.windows(2).any(|pair| pair == ["--error-format", "json"])
        || arguments.iter().any(|argument| argument == "--error-format=json");
    if !(error.use_stderr() && wants_json) {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let error = Error::new(Kind::Usage, message)
        .hint("to list commands and options, run: codex-credential --help");
    ErrorFormat::Json.show(&error);
    ExitCode::from(error.kind.exit_code())
}

fn run(operation: Operation, global: &GlobalOptions) -> Result<ExitCode> {
    let result = match operation {
        Operation::Login(options) => sign_in::login(global, &options),
        Operation::Status(options) => return sign_in::status(global, &options),
        Operation::Logout => sign_in::logout(global),
        Operation::Doctor(options) => return sign_in::doctor(global, &options),
        Operation::Token(options) => use_token::token(global, &options),
        Operation::Exec(options) => return use_token::exec(global, &options),
        Operation::Export(options) => use_token::export(global, &options),
        Operation::Get(options) => git_protocol::get(global, &options),
        Operation::Store => git_protocol::store(global),
        Operation::Erase(options) => git_protocol::erase(global, &options),
        Operation::Capability => stdio::print(git_protocol::CAPABILITIES),
        Operation::Configure(options) => tools::configure(global, &options),
        Operation::Unconfigure(options) => tools::unconfigure(global, &options),
        Operation::Completions(options) => advanced::completions(options.shell),
        Operation::Renew(options) => renewal::renew(global, options),
        Operation::Move(options) => advanced::move_login(global, &options),
        Operation::Import(options) => advanced::import(global, options),
        Operation::Audit(options) => advanced::audit(&options),
        Operation::Profile(command) => return profiles::run(global, command),
        Operation::Fleet(Fleet::Status(options)) => advanced::fleet_status(global, &options),
        Operation::Other(arguments) => git_protocol::unknown(&arguments),
    };
    result.map(|()| ExitCode::SUCCESS)
}

/// Starts the trace. A trace that cannot be written is reported and does not prevent an answer.
fn start_trace(verbose: bool) {
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
    let deadline = Deadline::after(options.wait.wait.unwrap_or(LOGOUT_PATIENCE));
    let file = options.file.unwrap_or_else(|| profile.codex_home().join("auth.json"));
    import::import(&profile, &file, options.remove, &deadline)
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
