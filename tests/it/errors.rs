//! Each kind of error: the program reports it with its exit code, and docs/protocol.md documents it. Other files test the
//! situations in detail.

use crate::machine::{Machine, PATIENCE, lock, told};
use crate::messages::assert_one_line_and_hint;
use codex_credential::error::Kind;
use issuer::{Endpoint, Fault};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// Makes the program fail with this kind of error. `options` are added to the command.
fn fail_with(kind: Kind, options: &str) -> Output {
    let run = |machine: &Machine, line: &str| {
        machine.command(&format!("{line} {options}")).output().unwrap()
    };
    match kind {
        Kind::Storage => {
            let machine = Machine::new();
            symlink("auth.json", machine.path("auth.json")).unwrap();
            run(&machine, "get")
        }
        Kind::LoginUnreadable => {
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
            let caller = machine.start(&format!("get --wait 30s {options}"));
            for _ in 0..3 {
                crate::machine::eventually(|| !machine.renewers().is_empty());
                machine.kill_renewer();
            }
            caller.wait_with_output().unwrap()
        }
        Kind::Usage => {
            let machine = Machine::new();
            let mut command = machine.command(&format!("get {options}"));
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
            machine.command(&format!("get {options}")).write_stdin("x\n").output().unwrap()
        }
        Kind::LoginRequired => run(&Machine::new(), "get --interactive never"),
        Kind::LoginPending => run(&Machine::new(), "get"),
        Kind::LoginExpired => {
            let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(1));
            run(&machine, "get --wait 20s")
        }
        Kind::LoginCancelled => {
            let machine = Machine::new();
            let caller = machine.start(&format!("get --wait 30s {options}"));
            machine.issuer.wait_for_user_code(PATIENCE).unwrap();
            crate::machine::eventually(|| machine.sign_in_file("pending").exists());
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
            let caller = machine.start(&format!("get --wait 30s {options}"));
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
            let output = fail_with(Kind::$kind, "--error-format json");
            assert_eq!(told(&output)["kind"], stringify!($name));
            assert_eq!(output.status.code(), Some($code));
            let output = fail_with(Kind::$kind, "");
            assert_eq!(output.status.code(), Some($code));
            let hint = assert_one_line_and_hint(&output);
            assert!(hint.is_some() || $code < 3, "the user has to act and gets no hint");
        })*

        /// The tested kinds and their exit codes.
        const TESTED: &[(&str, u8)] = &[$((stringify!($name), $code)),*];

        /// Fails to compile if a kind has no test.
        #[expect(dead_code, reason = "only compiled")]
        const fn is_tested(kind: Kind) {
            match kind { $(Kind::$kind => (),)* }
        }
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
    login_unreadable: LoginUnreadable ends in 3,
    login_pending: LoginPending ends in 3,
    login_expired: LoginExpired ends in 3,
    login_cancelled: LoginCancelled ends in 3,
    login_dead: LoginDead ends in 3,
    denied: Denied ends in 4,
    wrong_account: WrongAccount ends in 4,
    device_login_disabled: DeviceLoginDisabled ends in 4,
}

/// Returns the words in backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the cells of each row of the table in docs/protocol.md that starts with `head`.
fn table(head: &str) -> Vec<Vec<String>> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md");
    let document = fs::read_to_string(document).unwrap();
    let (_, table) = document.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_kind_is_documented() {
    let rows = table("| kind | situation |");
    let documented: BTreeSet<_> = rows.iter().flat_map(|row| quoted(&row[1])).collect();
    assert_eq!(documented, TESTED.iter().map(|(name, _)| *name).collect());
}

#[test]
fn every_exit_code_is_documented_with_its_kinds() {
    for row in table("| code | meaning | kinds |") {
        let code: u8 = row[1].parse().unwrap();
        let tested = TESTED.iter().filter(|(_, ends_in)| *ends_in == code);
        assert_eq!(quoted(&row[3]), tested.map(|(name, _)| *name).collect());
    }
}

#[test]
fn wrong_command_line_exits_with_2() {
    let machine = Machine::new();
    for line in ["get --wait soon", "get --format xml", "exec", "login --cancel --json"] {
        machine.command(line).assert().code(2);
    }
}

/// The option applies although clap did not accept the command line.
#[test]
fn wrong_command_line_is_reported_in_json_when_asked_for() {
    let machine = Machine::new();
    for line in ["--error-format json move --to nope", "get --error-format=json --wait 5"] {
        let output = machine.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = told(&output);
        assert_eq!(error["kind"], "usage");
        assert!(!error["message"].as_str().unwrap().contains('\n'), "{error}");
    }
    let output = machine.command("get --wait 5").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("--help"));
    machine.command("--help --error-format json").assert().success();
}
