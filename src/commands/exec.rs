//! `exec -- COMMAND`: runs a command with the token in its environment, and nowhere else.

use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode};
use std::str::FromStr;

/// What a variable of the command's is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Token,
    AccountId,
    Email,
    Plan,
    ExpiresAt,
}

/// `NAME=token` and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: String,
    what: What,
}

impl Default for Variable {
    fn default() -> Self {
        Self { name: "CODEX_ACCESS_TOKEN".into(), what: What::Token }
    }
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, what) = text.split_once('=').ok_or("write it as NAME=token")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_numeric())
        {
            return Err(format!("{name:?} is not the name of a variable"));
        }
        let what = match what {
            "token" => What::Token,
            "account_id" => What::AccountId,
            "email" => What::Email,
            "plan" => What::Plan,
            "expires_at" => What::ExpiresAt,
            _ => return Err("after = comes token, account_id, email, plan or expires_at".into()),
        };
        Ok(Self { name: name.to_owned(), what })
    }
}

impl Variable {
    fn value(&self, login: &Login) -> Result<String> {
        let account = login.account();
        let value = match self.what {
            What::Token => Some(login.access_token.expose().clone()),
            What::AccountId => account.account_id,
            What::Email => account.email,
            What::Plan => account.plan,
            What::ExpiresAt => login.lifetime().expires_at.map(clock::rfc3339),
        };
        value.ok_or_else(|| {
            let message = format!("the login does not say what {} should be set to", self.name);
            Error::new(Kind::Usage, message)
        })
    }
}

/// Runs `command` and gives its exit status; in its place where the system can do that.
///
/// # Errors
/// `Usage` when the command cannot be run.
pub fn exec(login: &Login, variables: &[Variable], command: &[OsString]) -> Result<ExitCode> {
    let (program, arguments) = command.split_first().expect("clap asks for a command");
    let mut child = Command::new(program);
    child.args(arguments);
    for variable in variables {
        child.env(&variable.name, variable.value(login)?);
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
