//! The full program: takes arguments, environment and standard streams, and returns an exit code.

mod advanced;
mod docker;
mod git_protocol;
mod options;
mod renewal;
mod sign_in;
mod stdio;
mod use_token;

use clap::Parser;
use codex_credential::cli::{Cli, Fleet, GlobalOptions, Operation};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::folders::absolute;
use codex_credential::hardening;
use codex_credential::limits;
use codex_credential::renewal::process;
use codex_credential::trace;
use codex_credential::ui::{self, ErrorFormat};
use options::variable;
use std::ffi::OsString;
use std::process::ExitCode;

/// musl's own allocator asks the kernel for each block of medium size.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hardening::protect_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Err(error) = limits::raise() {
        return show(ErrorFormat::named_in(arguments.into_iter()), &error);
    }
    if let Some(arguments) = docker::arguments(&arguments) {
        return start_trace(false, true)
            .map_or_else(|error| show(ErrorFormat::Text, &error), |()| docker::run(arguments));
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return show_clap_error(&error),
    };
    let is_renewal_process = matches!(cli.operation, Operation::Renew { request: Some(_) });
    if is_renewal_process && let Err(error) = process::detach() {
        renewal::report(&error);
        return ExitCode::from(error.kind.exit_code());
    }
    start_trace(cli.verbose, is_renewal_process)
        .and_then(|()| run(cli.operation, &cli.global))
        .unwrap_or_else(|error| show(cli.global.error_format, &error))
}

fn show(format: ErrorFormat, error: &Error) -> ExitCode {
    format.show(error);
    ExitCode::from(error.kind.exit_code())
}

/// Shows clap's error or help. The arguments may ask for errors in JSON although clap did not accept them.
fn show_clap_error(error: &clap::Error) -> ExitCode {
    let format = ErrorFormat::named_in(std::env::args_os());
    if !error.use_stderr() || format == ErrorFormat::Text {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let error = Error::new(Kind::Usage, message)
        .run("to list commands and options", "codex-credential --help");
    format.show(&error);
    ExitCode::from(error.kind.exit_code())
}

fn run(operation: Operation, global: &GlobalOptions) -> Result<ExitCode> {
    let result = match operation {
        Operation::Login(options) => sign_in::login(global, &options),
        Operation::Status(options) => return sign_in::status(global, &options),
        Operation::Switch(options) => sign_in::switch(global, &options),
        Operation::Logout => sign_in::logout(global),
        Operation::Doctor(options) => return sign_in::doctor(global, &options),
        Operation::Token(options) => use_token::token(global, &options),
        Operation::Exec(options) => return use_token::exec(global, &options),
        Operation::Export(options) => use_token::export(global, &options),
        Operation::Get(options) => git_protocol::get(global, &options),
        Operation::Store => git_protocol::store(global),
        Operation::Erase(options) => git_protocol::erase(global, &options),
        Operation::Capability => stdio::print(git_protocol::CAPABILITIES),
        Operation::Configure(options) => advanced::configure(global, &options),
        Operation::Unconfigure(options) => advanced::unconfigure(global, &options),
        Operation::Completions { shell } => advanced::completions(shell),
        Operation::Renew { request } => renewal::renew(global, request),
        Operation::Move { to } => advanced::move_login(global, to),
        Operation::Import(options) => advanced::import(global, options),
        Operation::Audit(options) => advanced::audit(&options),
        Operation::Profile(command) => return advanced::profile(global, command),
        Operation::Fleet(Fleet::Status(options)) => advanced::fleet_status(global, &options),
        Operation::Other(arguments) => git_protocol::unknown(&arguments),
    };
    result.map(|()| ExitCode::SUCCESS)
}

/// Starts the trace. A trace that cannot be written is reported, unless `is_quiet`, and does not prevent an
/// answer.
///
/// # Errors
/// `Usage` if `CODEX_CREDENTIAL_TRACE` is not an absolute path.
fn start_trace(verbose: bool, is_quiet: bool) -> Result<()> {
    const VARIABLE: &str = "CODEX_CREDENTIAL_TRACE";
    let file = variable(VARIABLE).filter(|file| !file.is_empty());
    let file = file.map(|file| absolute(VARIABLE, file.into())).transpose()?;
    if (verbose || file.is_some())
        && let Err(error) = trace::start(verbose, file.as_deref())
        && !is_quiet
    {
        ui::say(&Error::io("write the trace", &file.unwrap_or_default(), error).text());
    }
    Ok(())
}
