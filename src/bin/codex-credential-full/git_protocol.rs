//! `get`, `store`, `erase` and `capability`: git's credential protocol.

use crate::options::{deadline, other_hosts, profile_for};
use crate::stdio::{input, read_credential};
use crate::use_token::obtain_and_print;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory};
use codex_credential::answer;
use codex_credential::answer::request::Request;
use codex_credential::cli::options::{Erase, Get};
use codex_credential::cli::{Cli, DEFAULT_WAIT, GlobalOptions};
use codex_credential::commands::logout::{self, Removal};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::renewal::caller::PROMPT_WAIT;
use codex_credential::renewal::process;
use codex_credential::renewal::store_login::store_login;
use std::ffi::OsString;
use std::io::{self, IsTerminal};

pub const CAPABILITIES: &str = "version 0\ncapability authtype\ncapability state\n";

pub fn get(global: &GlobalOptions, options: &Get) -> Result<()> {
    obtain_and_print(global, &options.token, options.show, |deadline| match input(deadline) {
        Some(input) => Request::read(options.format, input),
        None => Ok(Request { format: options.format.unwrap_or_default(), ..Request::default() }),
    })
}

pub fn store(global: &GlobalOptions) -> Result<()> {
    let deadline = deadline(global, DEFAULT_WAIT);
    let mut request = read_credential(deadline)?;
    let profile = profile_for(global, &mut request)?;
    let other_hosts = other_hosts(&profile, global);
    match answer::store::store(&profile, &other_hosts, &request, &deadline)? {
        Some(refresh_token) => {
            // The answer of its request is recorded before a signal ends this process.
            process::defer_signals()?;
            store_login(&profile, &refresh_token, &deadline)
        }
        None => Ok(()),
    }
}

/// Erases what the request names. A user at a terminal, or `--yes`, can remove the login without a request.
pub fn erase(global: &GlobalOptions, options: &Erase) -> Result<()> {
    let ask = io::stdin().is_terminal() && !options.yes;
    let deadline = deadline(global, if ask { PROMPT_WAIT } else { DEFAULT_WAIT });
    let mut request = read_credential(deadline)?;
    let profile = profile_for(global, &mut request)?;
    if !request.names_something() && (ask || options.yes) {
        return logout::remove(&profile, Removal { revoke: options.revoke, ask }, &deadline);
    }
    let other_hosts = other_hosts(&profile, global);
    answer::erase::erase(&profile, &other_hosts, &request, &deadline)
}

/// Succeeds in silence, because git adds operations that helpers do not know. A user at a terminal gets an error.
pub fn unknown(arguments: &[OsString]) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    let name = arguments.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    let error = Error::new(Kind::Usage, format!("unknown command {name:?}"));
    Err(match similar_command(&name) {
        Some(similar) => error.hint(format!("did you mean {similar:?}?")),
        None => error.run("to list the commands", "codex-credential --help"),
    })
}

fn similar_command(name: &str) -> Option<String> {
    let cli = Cli::command();
    // Cli accepts unknown commands, so clap has to parse a command without them to suggest one.
    let known_only = Command::new("codex-credential").subcommands(cli.get_subcommands());
    let error = known_only.try_get_matches_from([cli.get_name(), name]).err()?;
    match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::String(similar) => Some(similar.clone()),
        ContextValue::Strings(similar) => similar.last().cloned(),
        _ => None,
    }
}
