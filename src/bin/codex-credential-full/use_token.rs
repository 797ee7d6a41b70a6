//! `token`, `exec` and `export`: they use the login of the profile and read no request.

use crate::obtain::{obtain, print_answer};
use crate::stdio::write;
use codex_credential::answer::formats::Format;
use codex_credential::answer::get::Answer;
use codex_credential::answer::request::Request;
use codex_credential::cli::GlobalOptions;
use codex_credential::cli::options::{Exec, Export, Token, TokenOptions};
use codex_credential::commands;
use codex_credential::commands::exec::Variable;
use codex_credential::error::Result;
use codex_credential::login::Login;
use codex_credential::ui;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

pub fn token(global: &GlobalOptions, options: &Token) -> Result<()> {
    let request = Request { format: Format::Token, ..Request::default() };
    let (request, answer) = obtain(global, &options.token, |_| Ok(request))?;
    print_answer(&request, &answer, options.show)
}

pub fn exec(global: &GlobalOptions, options: &Exec) -> Result<ExitCode> {
    let login = obtain_login(global, &options.token)?;
    let default = [Variable::default()];
    let variables = if options.env.is_empty() { &default[..] } else { &options.env };
    commands::exec::exec(&login, variables, &options.command)
}

pub fn export(global: &GlobalOptions, options: &Export) -> Result<()> {
    let login = obtain_login(global, &options.token)?;
    if io::stdout().is_terminal() && !options.show {
        ui::say("there is a token; add --show to print it on this terminal");
        return Ok(());
    }
    write(&commands::export::export(&login, options.format)?)
}

fn obtain_login(global: &GlobalOptions, options: &TokenOptions) -> Result<Login> {
    match obtain(global, options, |_| Ok(Request::default()))? {
        (_, Answer::Login(login)) => Ok(login),
        _ => unreachable!("a request that names nothing is for the login of the profile"),
    }
}
