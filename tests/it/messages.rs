//! Messages to the user: one line that says what happened, and a hint whose commands exist.

use crate::machine::{Machine, PATIENCE, eventually};
use clap::Parser;
use clap::error::ErrorKind;
use codex_credential::cli::{Cli, Operation};
use std::process::Output;

/// Asserts that the program wrote one line to stderr and at most one hint, after the lines that showed a user code, and that the parser accepts each command in
/// the hint. Returns the hint.
pub fn assert_one_line_and_hint(output: &Output) -> Option<String> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let text = text.rsplit("hint: never share the code\n").next().unwrap();
    let messages = text.lines().filter(|line| line.starts_with("codex-credential: ")).count();
    let hints: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("hint: ")).collect();
    assert!(
        messages == 1 && hints.len() <= 1 && text.lines().count() == messages + hints.len(),
        "{text}"
    );
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    for hint in &hints {
        let commands = hint.match_indices("codex-credential ");
        commands.for_each(|(at, _)| assert_accepted(&hint[at..]));
    }
    hints.first().map(|hint| (*hint).to_owned())
}

/// Asserts that the parser accepts the command at the start of `text`. Other words may follow the command.
fn assert_accepted(text: &str) {
    let command = text.split([',', ';', '(']).next().unwrap().trim_end();
    let mut words: Vec<&str> = command.split_whitespace().collect();
    while words.len() > 1 {
        match Cli::try_parse_from(&words) {
            // The parser accepts unknown commands, as git expects from helpers.
            Ok(cli) if matches!(cli.operation, Operation::Other(_)) => panic!("{command}"),
            Ok(_) => return,
            Err(error) if error.kind() == ErrorKind::DisplayHelp => return,
            Err(error) if words.last().unwrap().starts_with('-') => panic!("{command}: {error}"),
            Err(_) => words.pop(),
        };
    }
    panic!("no command in {command}");
}

fn run(machine: &Machine, line: &str) -> Output {
    machine.command(line).output().unwrap()
}

fn assert_fails(machine: &Machine, line: &str, code: i32, hint_has: &str) {
    let output = run(machine, line);
    assert_eq!(output.status.code(), Some(code), "{line}");
    let hint = assert_one_line_and_hint(&output).unwrap_or_default();
    assert!(hint.contains(hint_has), "{line}: {hint}");
}

fn assert_succeeds(machine: &Machine, line: &str) {
    let output = run(machine, line);
    assert_eq!(output.status.code(), Some(0), "{line}");
    assert_one_line_and_hint(&output);
}

#[test]
fn command_without_a_login_prints_one_line() {
    let machine = Machine::new();
    for line in ["logout", "erase --yes", "login --cancel"] {
        assert_succeeds(&machine, line);
    }
    for line in ["get --interactive never", "move --to file"] {
        assert_fails(&machine, line, 3, "codex-credential login");
    }
}

#[test]
fn pending_sign_in_is_reported_until_it_is_cancelled() {
    let machine = Machine::new();
    assert_fails(&machine, "get", 3, "run the same command again");
    eventually(|| machine.sign_in_file("pending").exists());
    assert_fails(&machine, "get --format token", 3, "run the same command again");
    assert_succeeds(&machine, "login --cancel");
    assert_fails(&machine, "get --interactive never", 3, "codex-credential login");
}

#[test]
fn ended_login_hint_names_login() {
    let (machine, tokens) = Machine::signed_in(-90);
    machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    assert_fails(&machine, "get --interactive never --wait 20s", 3, "codex-credential login");
}

#[test]
fn wrong_account_hint_repeats_the_requested_account() {
    let machine = Machine::new();
    let login = machine.start("login --account grace@example.org --wait 30s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.approve(&code);
    let output = login.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let text = String::from_utf8(output.stderr).unwrap();
    let hint = text.lines().last().unwrap().strip_prefix("hint: ").expect(&text);
    let command = &hint[hint.find("codex-credential ").expect(hint)..];
    assert!(command.starts_with("codex-credential login --account grace@example.org"), "{hint}");
    assert_accepted(command);
}

#[test]
fn failed_command_has_a_hint() {
    let mut machine = Machine::new();
    let home = machine.codex_home().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    machine.set("XDG_CONFIG_HOME", &format!("{home}/config"));
    let add = "profile add company --issuer https://id.company.example --client-id gateway";
    assert_succeeds(&machine, add);
    assert_fails(&machine, add, 2, "another name");
    assert_fails(&machine, "get --profile compnay", 2, "company");
    assert_fails(&machine, "fleet status", 2, "docs/fleet.md");
    assert_fails(&machine, "configure codex --base-url https://x.example/", 2, "chatgpt.com");
}
