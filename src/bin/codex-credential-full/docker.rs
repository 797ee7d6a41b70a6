//! Docker's credential helper protocol, for a start by the name `docker-credential-codex-credential`. An error goes to
//! standard output, with exit code 1: Docker reads it there.

use crate::call::profile;
use crate::hand_out::wanted;
use crate::streams::{cannot_write, input, print};
use codex_credential::answer;
use codex_credential::answer::docker::{NOT_FOUND, check_store, is_name, server_url};
use codex_credential::answer::get::Answer;
use codex_credential::answer::request::Request;
use codex_credential::cli::{self, PROGRAMS_PATIENCE, ProfileOptions};
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::programs::DOCKER_NAME;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// The arguments behind Docker's name for this program, if it was started by it. (The name is the first argument
/// where the answering program could not hand it over as `argv[0]`.)
pub fn arguments(words: &[OsString]) -> Option<&[OsString]> {
    let at = words.iter().take(2).position(|word| is_name(word))?;
    Some(&words[at + 1..])
}

pub fn run(arguments: &[OsString]) -> ExitCode {
    let action = match arguments {
        [action] => action.to_string_lossy(),
        _ => return failed(&usage()),
    };
    match answer(&action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.hint {
            Some(ref hint) => failed(&format!("{}; {hint}", error.text())),
            None => failed(&error.text()),
        },
    }
}

fn failed(what: &str) -> ExitCode {
    // Where nobody reads standard output, the exit code is left.
    let _ = print(&format!("{what}\n"));
    ExitCode::FAILURE
}

fn usage() -> String {
    format!("Usage: {DOCKER_NAME} <store|get|erase|list|version>")
}

fn answer(action: &str) -> Result<()> {
    match action {
        "get" => get(),
        "store" => check_store(standard_input()).and_then(|()| Err(shared("in", "login"))),
        "erase" => server_url(standard_input()).and_then(|_| Err(shared("out", "logout"))),
        "list" => list(),
        "version" | "--version" | "-v" => {
            print(&format!("{DOCKER_NAME} (codex-credential) {}\n", env!("CARGO_PKG_VERSION")))
        }
        "--help" | "-h" => print(&format!("{}\n", usage())),
        _ => Err(Error::new(Kind::Usage, format!("{DOCKER_NAME}: unknown action: {action}"))),
    }
}

/// Empty where a terminal is standard input.
fn standard_input() -> Box<dyn BufRead> {
    match input(Deadline::after(PROGRAMS_PATIENCE)) {
        Some(input) => Box::new(input),
        None => Box::new(BufReader::new(io::empty())),
    }
}

fn get() -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(Error::new(Kind::Usage, "the token is not printed on a terminal")
            .hint("to see it, run: codex-credential get --show"));
    }
    let read = |_| Request::read_docker(standard_input());
    let (request, found) = wanted(&ProfileOptions::default(), &cli::TokenOptions::default(), read)?;
    let Answer::Login(login) = found else {
        return Err(Error::new(Kind::LoginRequired, NOT_FOUND));
    };
    let mut answer = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let written = request.write(&mut *answer, &login, None);
    written.and_then(|()| io::Write::write_all(&mut io::stdout(), &answer)).map_err(cannot_write)
}

/// The hosts that `get` answers for with the default profile, and the user of each.
fn list() -> Result<()> {
    let profile = profile(&ProfileOptions::default(), None)?;
    let mut users = serde_json::Map::new();
    if let Some((login, _)) = answer::get::stored(&profile)? {
        let user = Value::from(login.username());
        users.extend(profile.settings.hosts.iter().map(|host| (host.to_string(), user.clone())));
    }
    print(&format!("{}\n", Value::from(users)))
}

fn shared(way: &str, command: &str) -> Error {
    Error::new(Kind::Usage, "the login is shared with other programs, and Docker cannot change it")
        .hint(format!("to sign {way}, run: codex-credential {command}"))
}
