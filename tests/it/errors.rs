//! Every error kind and every exit code, each reached by the program itself. The situations have tests of their
//! own elsewhere; here each kind has one of its name, and a kind without one, or one that the document does not tell of,
//! fails the tests.

use crate::machine::{Machine, PATIENCE, lock, told};
use codex_credential::error::Kind;
use issuer::{Endpoint, Fault};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// How the program fails, as it tells a program.
fn failure(output: &Output) -> (String, u8) {
    let line = String::from_utf8_lossy(&output.stderr);
    let line = line.lines().last().expect("an error");
    let error: Value = serde_json::from_str(line).expect(line);
    assert!(!error["message"].as_str().unwrap().is_empty());
    (error["kind"].as_str().unwrap().to_owned(), output.status.code().unwrap().try_into().unwrap())
}

fn run(machine: &Machine, line: &str) -> Output {
    machine.command(&format!("{line} --error-format json")).output().unwrap()
}

pub fn situation(kind: Kind) -> Output {
    match kind {
        Kind::Storage => {
            let machine = Machine::new();
            fs::write(machine.path("auth.json"), "{").unwrap();
            run(&machine, "get")
        }
        Kind::Busy => {
            let (machine, _) = Machine::signed_in(-1);
            let _codex = lock(&machine.path("auth.lock"));
            run(&machine, "get --wait 500ms")
        }
        Kind::Network => {
            let (machine, _) = Machine::signed_in(-1);
            machine.issuer.fault(Endpoint::Refresh, Fault::Drop, 1);
            run(&machine, "get --wait 20s")
        }
        Kind::Server => {
            let (machine, _) = Machine::signed_in(-1);
            machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), 1);
            run(&machine, "get --wait 20s")
        }
        Kind::Interrupted => {
            let (machine, _) = Machine::signed_in(-1);
            let _codex = lock(&machine.path("auth.lock"));
            let caller = machine.start("get --wait 30s --error-format json");
            for _ in 0..3 {
                crate::machine::eventually(|| !machine.renewers().is_empty());
                machine.kill_renewer();
            }
            caller.wait_with_output().unwrap()
        }
        Kind::Usage => {
            let machine = Machine::new();
            let mut command = machine.command("get --error-format json");
            command.env("CODEX_CREDENTIAL_ISSUER", "http://example.com").output().unwrap()
        }
        Kind::Configuration => {
            let machine = Machine::new();
            let text = "cli_auth_credentials_store = 'ephemeral'";
            fs::write(machine.path("config.toml"), text).unwrap();
            run(&machine, "get")
        }
        Kind::BadInput => {
            let machine = Machine::new();
            machine.command("get --error-format json").write_stdin("x\n").output().unwrap()
        }
        Kind::LoginRequired => run(&Machine::new(), "get --interactive never"),
        Kind::LoginPending => run(&Machine::new(), "get"),
        Kind::LoginExpired => {
            let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(1));
            run(&machine, "get --wait 20s")
        }
        Kind::LoginCancelled => {
            let machine = Machine::new();
            let caller = machine.start("get --wait 30s --error-format json");
            machine.issuer.wait_for_user_code(PATIENCE).unwrap();
            crate::machine::eventually(|| machine.own("pending").exists());
            machine.command("login --cancel").assert().success();
            caller.wait_with_output().unwrap()
        }
        Kind::LoginDead => {
            let (machine, tokens) = Machine::signed_in(-1);
            machine.issuer.expire_refresh_token(&tokens.refresh_token);
            run(&machine, "get --interactive never --wait 20s")
        }
        Kind::Denied => {
            let machine = Machine::new();
            let caller = machine.start("get --wait 30s --error-format json");
            let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
            machine.issuer.deny(&code);
            caller.wait_with_output().unwrap()
        }
        Kind::WrongAccount => {
            let (machine, _) = Machine::signed_in(3600);
            let text = "forced_chatgpt_workspace_id = 'other'";
            fs::write(machine.path("config.toml"), text).unwrap();
            run(&machine, "get")
        }
        Kind::DeviceLoginDisabled => {
            run(&Machine::with(|s| s.device_login = false), "get --wait 20s")
        }
    }
}

macro_rules! kinds {
    ($($name:ident: $kind:ident ends in $code:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            assert_eq!(failure(&situation(Kind::$kind)), (stringify!($name).to_owned(), $code));
        })*

        pub const KINDS: &[Kind] = &[$(Kind::$kind),*];

        /// The kinds that have a test, with their exit codes.
        const TESTED: &[(&str, u8)] = &[$((stringify!($name), $code)),*];
    };
}

kinds! {
    storage: Storage ends in 1,
    busy: Busy ends in 1,
    network: Network ends in 1,
    server: Server ends in 1,
    interrupted: Interrupted ends in 1,
    usage: Usage ends in 2,
    configuration: Configuration ends in 2,
    bad_input: BadInput ends in 2,
    login_required: LoginRequired ends in 3,
    login_pending: LoginPending ends in 3,
    login_expired: LoginExpired ends in 3,
    login_cancelled: LoginCancelled ends in 3,
    login_dead: LoginDead ends in 3,
    denied: Denied ends in 4,
    wrong_account: WrongAccount ends in 4,
    device_login_disabled: DeviceLoginDisabled ends in 4,
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The words in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_kinds_of_the_source_of_the_document_and_of_the_tests_are_the_same() {
    let source = read("src/error.rs");
    let (_, variants) = source.split_once("pub enum Kind {").unwrap();
    let (variants, _) = variants.split_once('}').unwrap();
    let variants = variants.lines().filter_map(|line| line.trim().strip_suffix(','));
    let in_source: BTreeSet<String> = variants.map(snake_case).collect();
    let tested = TESTED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(in_source, tested);

    let document = read("docs/protocol.md");
    let (_, table) = document.split_once("| kind | situation |\n|---|---|\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().map(|row| row.split('|').nth(1).unwrap());
    assert_eq!(in_source, rows.flat_map(quoted).collect());
}

#[test]
fn the_document_gives_each_exit_code_its_kinds() {
    let document = read("docs/protocol.md");
    let (_, table) = document.split_once("| code | meaning | kinds |\n|---|---|---|\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for row in table.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let code: u8 = cells[1].parse().unwrap();
        let tested = TESTED.iter().filter(|(_, ends_in)| *ends_in == code);
        assert_eq!(quoted(cells[3]), tested.map(|(name, _)| (*name).to_owned()).collect());
    }
}

fn snake_case(name: &str) -> String {
    name.char_indices().fold(String::new(), |mut snake, (at, letter)| {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

/// clap has its own words and form; the exit code is the same.
#[test]
fn a_wrong_command_line_is_exit_code_two() {
    let machine = Machine::new();
    for line in ["get --wait soon", "get --format xml", "exec", "login --cancel --json"] {
        machine.command(line).assert().code(2);
    }
}

/// The form in which mistakes are to be told holds for a mistake beside it, too.
#[test]
fn a_command_line_that_is_not_understood_is_told_in_json_where_that_is_asked_for() {
    let machine = Machine::new();
    for line in ["--error-format json move --to nope", "get --error-format=json --wait 5"] {
        let output = machine.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = told(&output);
        assert_eq!(error["kind"], "usage");
        assert!(error["message"].as_str().unwrap().starts_with("invalid value"), "{error}");
    }
    let output = machine.command("get --wait 5").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("For more information"));
    machine.command("--help --error-format json").assert().success();
}
