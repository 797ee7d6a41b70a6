//! Arguments, environment and standard streams come in, an exit code goes out; nothing else has process state.

use clap::Parser;
use codex_credential::cli::{self, Cli, Operation};
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::helper::credential::Credential;
use codex_credential::helper::join::Caller;
use codex_credential::helper::renew::{Goal, Order};
use codex_credential::helper::{self};
use codex_credential::people;
use codex_credential::profile::Profile;
use codex_credential::stdin::PatientStdin;
use codex_credential::ui::{self, Screen};
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Where a person is asked: as long as a device code lives.
const PERSONS_PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Codex kills its helper after 5 seconds.
const PROGRAMS_PATIENCE: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let error_format = cli.error_format;
    match run(cli.operation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error_format.show(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn run(operation: Operation) -> Result<()> {
    match operation {
        Operation::Get(options) => get(&options),
        Operation::Store(wait) => {
            let patience = wait.wait.unwrap_or(PROGRAMS_PATIENCE);
            helper::store::store(&profile()?, &request(patience)?, patience)
        }
        Operation::Erase(options) => erase(&options),
        Operation::Capability => say("version 0\ncapability authtype\n"),
        Operation::Login(wait) => {
            let mut caller = caller(&wait);
            let login = people::login::login(&profile()?, &mut caller)?;
            if !caller.screen.is_terminal() {
                ui::warn(&format!("signed in as {}", login.account().username()));
            }
            Ok(())
        }
        Operation::Renew(options) => renew(&options),
        Operation::Other(words) => unknown(&words),
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment comes in here")]
fn profile() -> Result<Profile> {
    Profile::codex(|name| std::env::var_os(name))
}

fn caller(wait: &cli::Wait) -> Caller {
    let screen = Screen::stderr();
    let default = if screen.is_terminal() { PERSONS_PATIENCE } else { PROGRAMS_PATIENCE };
    Caller {
        deadline: Deadline::after(wait.wait.unwrap_or(default)),
        wait_is_explicit: wait.wait.is_some(),
        screen,
    }
}

/// The request on standard input; empty where a person sits at it.
fn request(patience: Duration) -> Result<Credential> {
    if io::stdin().is_terminal() {
        return Ok(Credential::default());
    }
    let stdin = PatientStdin::new(Deadline::after(patience));
    Credential::read(BufReader::new(stdin))
}

fn get(options: &cli::Get) -> Result<()> {
    let profile = profile()?;
    let mut caller = caller(&options.wait);
    let asked = request(options.wait.wait.unwrap_or(PROGRAMS_PATIENCE))?;
    let min_validity = i64::try_from(options.min_validity.as_secs()).unwrap_or(i64::MAX);
    let Some(login) = helper::get::get(&profile, &asked, min_validity, &mut caller)? else {
        return Ok(());
    };
    if io::stdout().is_terminal() && !options.show {
        ui::warn(&format!(
            "there is a token for {}; add --show to print it on this terminal",
            login.account().username()
        ));
        return Ok(());
    }
    let mut output = BufWriter::new(io::stdout().lock());
    let written = options.format.write(&mut output, &asked, &login).and_then(|()| output.flush());
    written.map_err(|error| cannot_write(&error))
}

fn erase(options: &cli::Erase) -> Result<()> {
    let profile = profile()?;
    let patience = options.wait.wait.unwrap_or(PROGRAMS_PATIENCE);
    let named = request(patience)?;
    if !named.names_something() && (options.yes || io::stdin().is_terminal()) {
        return people::erase::erase(&profile, options.yes, patience);
    }
    helper::erase::erase(&profile, &named, patience).map(drop)
}

/// The renewing process. Its failure goes to whoever started it, as JSON; nobody else hears it.
fn renew(options: &cli::Renew) -> Result<()> {
    let goal = match options.min_validity {
        _ if options.sign_in => Goal::SignIn,
        Some(validity) => {
            Goal::Token { min_validity: i64::try_from(validity.as_secs()).unwrap_or(i64::MAX) }
        }
        None => Goal::Early,
    };
    let order = Order { goal, may_sign_in: options.may_sign_in };
    let result = helper::renew::renew(&profile()?, order);
    if let Err(error) = &result {
        let _ = writeln!(io::stdout(), "{}", serde_json::json!(error));
    }
    result
}

/// git adds operations over time and expects helpers to pass over them in silence; a person who mistypes one
/// expects to be told.
fn unknown(words: &[std::ffi::OsString]) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    Err(Error::new(Kind::Usage, format!("there is no operation {word}"))
        .hint("codex-credential --help lists them"))
}

fn say(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| cannot_write(&error))
}

fn cannot_write(error: &io::Error) -> Error {
    Error::new(Kind::Storage, format!("cannot write to standard output: {error}"))
}
