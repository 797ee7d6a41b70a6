//! Docker's credential helper protocol, spoken if the program is started as `docker-credential-codex-credential`. Docker
//! reads errors from standard output and expects exit code 1.

use crate::options::profile;
use crate::stdio::{input, print, write_until};
use crate::use_token::{finish, format_answer, obtain};
use codex_credential::answer::docker::{NOT_FOUND, check_store, is_name, server_url};
use codex_credential::answer::get::{self, Answer};
use codex_credential::answer::request::Request;
use codex_credential::cli::options::TokenOptions;
use codex_credential::cli::{DEFAULT_WAIT, GlobalOptions};
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::programs::DOCKER_NAME;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::ExitCode;

/// Returns the arguments after Docker's name for this program, if the program was started by that name. The name is the
/// first argument if the answering program could not pass it as `argv[0]`.
pub fn arguments(arguments: &[OsString]) -> Option<&[OsString]> {
    let at = arguments.iter().take(2).position(|argument| is_name(argument))?;
    Some(&arguments[at + 1..])
}

pub fn run(arguments: &[OsString]) -> ExitCode {
    let [action] = arguments else { return fail(&usage()) };
    match answer(&action.to_string_lossy()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.completed().hint {
            Some(hint) => fail(&format!("{}; {hint}", error.text())),
            None => fail(&error.text()),
        },
    }
}

fn fail(message: &str) -> ExitCode {
    // If standard output cannot be written, the exit code still tells.
    let _ = print(&format!("{message}\n"));
    ExitCode::FAILURE
}

fn usage() -> String {
    format!("Usage: {DOCKER_NAME} <store|get|erase|list|version>")
}

fn answer(action: &str) -> Result<()> {
    match action {
        "get" => get(),
        "store" => {
            check_store(standard_input())?;
            Err(refused("sign in", "login"))
        }
        "erase" => {
            server_url(standard_input())?;
            Err(refused("sign out", "logout"))
        }
        "list" => list(),
        "version" | "--version" | "-v" => {
            print(&format!("{DOCKER_NAME} (codex-credential) {}\n", env!("CARGO_PKG_VERSION")))
        }
        "--help" | "-h" => print(&format!("{}\n", usage())),
        _ => Err(Error::new(Kind::Usage, format!("{DOCKER_NAME}: unknown action: {action}"))),
    }
}

/// Returns standard input, or an empty input if it is a terminal.
fn standard_input() -> Box<dyn BufRead> {
    match input(Deadline::after(DEFAULT_WAIT)) {
        Some(input) => Box::new(input),
        None => Box::new(BufReader::new(io::empty())),
    }
}

fn get() -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(Error::new(Kind::Usage, "the token is not printed on a terminal")
            .run("to see it", "codex-credential get --show"));
    }
    let (global, options) = (GlobalOptions::default(), TokenOptions::default());
    let (request, answer, caller) =
        obtain(&global, &options, |_| Request::read_docker(standard_input()))?;
    if !matches!(answer, Answer::Login(_)) {
        return Err(Error::new(Kind::LoginRequired, NOT_FOUND));
    }
    let written = write_until(&format_answer(&request, &answer)?, &caller.deadline);
    finish(caller);
    written
}

/// Prints each host of the default profile with the user name of its login.
fn list() -> Result<()> {
    let profile = profile(&GlobalOptions::default())?;
    let mut users = serde_json::Map::new();
    if let Some((login, _)) = get::load(&profile)? {
        let user = Value::from(login.username());
        users.extend(profile.settings.hosts.iter().map(|host| (host.to_string(), user.clone())));
    }
    print(&format!("{}\n", Value::from(users)))
}

fn refused(purpose: &str, command: &str) -> Error {
    Error::new(Kind::Usage, "the login is shared with other programs, and Docker cannot change it")
        .run(&format!("to {purpose}"), &format!("codex-credential {command}"))
}
