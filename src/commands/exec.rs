//! `exec -- COMMAND`: runs a command with the token in its environment.

use crate::answer::formats::TOKEN_VARIABLE;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::programs;
use clap::ValueEnum;
use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::str::FromStr;

/// What a variable is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Value {
    Token,
    AccountId,
    Email,
    Plan,
    ExpiresAt,
}

/// A variable of the command's environment, such as `NAME=token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: String,
    value: Value,
}

impl Default for Variable {
    fn default() -> Self {
        Self { name: TOKEN_VARIABLE.into(), value: Value::Token }
    }
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it as NAME=token")?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(char::is_numeric) || !name.chars().all(is_part) {
            return Err(format!("{name:?} is not the name of a variable"));
        }
        let value = <Value as ValueEnum>::from_str(value, false)
            .map_err(|_| "expected token, account_id, email, plan or expires_at after =")?;
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
            let what = format!("cannot set {}: the login does not contain the value", self.name);
            Error::new(Kind::Usage, what)
        })
    }
}

/// Replaces this process with `command`. Where the system cannot, runs it and returns its exit status.
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
    programs::exec(child).map_err(|error| {
        Error::new(Kind::Usage, format!("cannot run {}", program.display())).caused_by(error)
    })
}
