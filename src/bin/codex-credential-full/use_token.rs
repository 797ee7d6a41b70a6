//! Obtains and prints the answer to a request: `token`, `exec` and `export`, and the part that they share with `get` and
//! Docker.

use crate::options::{caller, deadline, other_hosts, profile, profile_for, screen, variable};
use crate::stdio::{close_output, write_until};
use codex_credential::answer::erase;
use codex_credential::answer::formats::Format;
use codex_credential::answer::get::{self, Answer};
use codex_credential::answer::request::Request;
use codex_credential::audit::{self, Action};
use codex_credential::cli::options::{Exec, Export, Token, TokenOptions};
use codex_credential::cli::{DEFAULT_MIN_VALIDITY, DEFAULT_WAIT, GlobalOptions};
use codex_credential::clock::{self, Deadline};
use codex_credential::commands;
use codex_credential::commands::exec::Variable;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::login::Login;
use codex_credential::renewal::caller::{Caller, PROMPT_WAIT};
use codex_credential::storage::host_credentials::GitStorage;
use codex_credential::ui::{self, Interactive};
use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use zeroize::Zeroizing;

pub fn token(global: &GlobalOptions, options: &Token) -> Result<()> {
    let request = Request { format: Format::Token, ..Request::default() };
    obtain_and_print(global, &options.token, options.show, |_| Ok(request))
}

pub fn exec(global: &GlobalOptions, options: &Exec) -> Result<ExitCode> {
    let (login, caller) = obtain_login(global, &options.token)?;
    caller.finish();
    let default = [Variable::default()];
    let variables = if options.env.is_empty() { &default[..] } else { &options.env };
    commands::exec::exec(&login, variables, &options.command)
}

pub fn export(global: &GlobalOptions, options: &Export) -> Result<()> {
    if options.full {
        return export_full(global, options);
    }
    let (login, caller) = obtain_login(global, &options.token.token)?;
    let document = commands::export::export(&login);
    let written = write_export(&document, options.token.show, &caller.deadline);
    finish(caller);
    written
}

fn export_full(global: &GlobalOptions, options: &Export) -> Result<()> {
    let profile = profile(global)?;
    if !options.yes {
        if !io::stdin().is_terminal() {
            let message =
                "export --full asks for a confirmation, and standard input is no terminal";
            return Err(Error::new(Kind::Usage, message).hint("to export it anyway, add --yes"));
        }
        commands::export::confirm(&profile, &deadline(global, PROMPT_WAIT))?;
    }
    let (_, caller) = obtain_login(global, &options.token.token)?;
    // An early renewal would replace the refresh token.
    caller.finish();
    let deadline = deadline(global, DEFAULT_WAIT);
    let document = commands::export::export_full(&profile, &deadline)?;
    write_export(&document, options.token.show, &deadline)
}

fn write_export(document: &[u8], show: bool, deadline: &Deadline) -> Result<()> {
    if io::stdout().is_terminal() && !show {
        ui::say("there is a token; add --show to print it on this terminal");
        return Ok(());
    }
    write_until(document, deadline)
}

fn obtain_login(global: &GlobalOptions, options: &TokenOptions) -> Result<(Login, Caller)> {
    match obtain(global, options, |_| Ok(Request::default()))? {
        (_, Answer::Login(login), caller) => Ok((login, caller)),
        _ => unreachable!("a request that names nothing is for the login of the profile"),
    }
}

/// Reads a request with `read`, which has to end before the deadline it gets, and obtains the answer. Call [`finish`] when
/// the answer is used.
pub fn obtain(
    global: &GlobalOptions,
    options: &TokenOptions,
    read: impl FnOnce(Deadline) -> Result<Request>,
) -> Result<(Request, Answer, Caller)> {
    let wait = options.remaining.or(global.wait).unwrap_or(DEFAULT_WAIT);
    let deadline = Deadline::after(wait);
    let mut request = read(deadline)?;
    let mut profile = profile_for(global, &mut request.credential)?;
    profile.token = options.token.unwrap_or(profile.token);
    request.answered_by(&profile);
    let interactive = match options.interactive {
        Some(interactive) => interactive,
        // Bazel shows what a helper writes only after the helper has ended.
        None if request.format == Format::Bazel => Interactive::Never,
        None => Interactive::from_environment(variable, profile.settings.interactive)?,
    };
    let screen = screen(global, interactive, options.prompt);
    let mut caller = caller(global, deadline, interactive, screen);
    if let Some(rejected) = &options.rejected_sha256
        && let Some((login, _)) = get::load(&profile)?
    {
        erase::reject(&profile, &login, rejected)?;
    }
    let min_validity = clock::seconds(options.min_validity.unwrap_or(DEFAULT_MIN_VALIDITY));
    let mut other_hosts = other_hosts(&profile, global);
    if request.format != Format::Git {
        // Only git gets the credentials that git stored here.
        other_hosts.storage = GitStorage::None;
    }
    let answer = get::get(&profile, &other_hosts, &request.credential, min_validity, &mut caller)?;
    if let Answer::Login(login) = &answer {
        audit::note(&profile, Action::HandOut, Some(login), None);
    }
    Ok((request, answer, caller))
}

/// Obtains the answer to the request of `read` and prints it, completely or not at all. On a terminal, prints it only if
/// `show` is set.
pub fn obtain_and_print(
    global: &GlobalOptions,
    options: &TokenOptions,
    show: bool,
    read: impl FnOnce(Deadline) -> Result<Request>,
) -> Result<()> {
    let (request, answer, caller) = obtain(global, options, read)?;
    let printed = print_answer(&request, &answer, show, &caller.deadline);
    finish(caller);
    printed
}

/// Closes standard output, so that its reader goes on, and waits for an early renewal.
pub fn finish(caller: Caller) {
    if caller.early_renewal.is_some() {
        close_output();
        caller.finish();
    }
}

fn print_answer(request: &Request, answer: &Answer, show: bool, deadline: &Deadline) -> Result<()> {
    if let Some(found) = answer.describe()
        && io::stdout().is_terminal()
        && !show
    {
        ui::say(&format!("there is {found}; add --show to print it on this terminal"));
        return Ok(());
    }
    write_until(&format_answer(request, answer)?, deadline)
}

/// Returns the answer in the format of the request.
pub fn format_answer(request: &Request, answer: &Answer) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let written = match answer {
        Answer::Login(login) => {
            let exec_info = variable("KUBERNETES_EXEC_INFO");
            let exec_info = exec_info.as_deref().and_then(OsStr::to_str);
            request.write(&mut *bytes, login, exec_info)
        }
        Answer::OtherHosts(credential) => request.format.write_other(&mut *bytes, credential),
        Answer::Nothing => request.format.write_nothing(&mut *bytes),
    };
    written
        .map_err(|error| Error::new(Kind::Storage, "cannot write the answer").caused_by(error))?;
    Ok(bytes)
}
