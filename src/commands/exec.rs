//! `exec -- COMMAND`: runs a command with the token in its environment.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode};
use std::str::FromStr;

/// The value of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Token,
    AccountId,
    Email,
    Plan,
    ExpiresAt,
}

/// A variable for the command, such as `NAME=token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: String,
    value: Value,
}

impl Default for Variable {
    fn default() -> Self {
        Self { name: "CODEX_ACCESS_TOKEN".into(), value: Value::Token }
    }
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it as NAME=token")?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(is_allowed)
            || name.starts_with(|c: char| c.is_numeric())
        {
            return Err(format!("{name:?} is not a name for a variable"));
        }
        let value = match value {
            "token" => Value::Token,
            "account_id" => Value::AccountId,
            "email" => Value::Email,
            "plan" => Value::Plan,
            "expires_at" => Value::ExpiresAt,
            _ => {
                return Err("the value must be token, account_id, email, plan or expires_at".into());
            }
        };
        Ok(Self { name: name.to_owned(), value })
    }
}

impl Variable {
    fn value_from(&self, login: &Login) -> Result<String> {
        let account = login.account();
        let value = match self.value {
            Value::Token => Some(login.access_token.expose().clone()),
            Value::AccountId => account.account_id,
            Value::Email => account.email,
            Value::Plan => account.plan,
            Value::ExpiresAt => login.lifetime().expires_at.map(clock::rfc3339),
        };
        value.ok_or_else(|| {
            let message = format!("the login has no value for {}", self.name);
            Error::new(Kind::Usage, message)
        })
    }
}

/// Runs `command` and returns its exit code. On Unix, the command replaces this process.
///
/// # Errors
/// `Usage` if the command cannot be run or the login lacks a value.
pub fn exec(login: &Login, variables: &[Variable], command: &[OsString]) -> Result<ExitCode> {
    let (program, arguments) = command.split_first().expect("clap requires a command");
    let mut child = Command::new(program);
    child.args(arguments);
    for variable in variables {
        child.env(&variable.name, variable.value_from(login)?);
    }
    run(child).map_err(|error| {
        Error::new(Kind::Usage, format!("cannot run {}", program.display())).caused_by(error)
    })
}

#[cfg(unix)]
fn run(mut command: Command) -> io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

#[cfg(not(unix))]
fn run(mut command: Command) -> io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
