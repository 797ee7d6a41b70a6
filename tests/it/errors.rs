//! Every error kind and every exit code, each reached by the program itself. The situations have tests of their
//! own elsewhere; here each is named once, and a kind without one fails the test.

use crate::machine::{Machine, PATIENCE, lock};
use codex_credential::error::Kind;
use issuer::{Endpoint, Fault};
use serde_json::{Value, json};
use std::fs;
use std::process::Output;
use std::time::Duration;

/// How the program fails, as it tells a program.
fn failure(output: &Output) -> (String, i32) {
    let line = String::from_utf8_lossy(&output.stderr);
    let line = line.lines().last().expect("an error");
    let error: Value = serde_json::from_str(line).expect(line);
    assert!(!error["message"].as_str().unwrap().is_empty());
    (error["kind"].as_str().unwrap().to_owned(), output.status.code().unwrap())
}

fn run(machine: &Machine, line: &str) -> Output {
    machine.command(&format!("{line} --error-format json")).output().unwrap()
}

fn situation(kind: Kind) -> Output {
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

#[test]
fn every_kind_is_reached_and_ends_in_its_exit_code() {
    let kinds = [
        (Kind::Storage, 1),
        (Kind::Busy, 1),
        (Kind::Network, 1),
        (Kind::Server, 1),
        (Kind::Interrupted, 1),
        (Kind::Usage, 2),
        (Kind::Configuration, 2),
        (Kind::BadInput, 2),
        (Kind::LoginRequired, 3),
        (Kind::LoginPending, 3),
        (Kind::LoginExpired, 3),
        (Kind::LoginCancelled, 3),
        (Kind::LoginDead, 3),
        (Kind::Denied, 4),
        (Kind::WrongAccount, 4),
        (Kind::DeviceLoginDisabled, 4),
    ];
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md"));
    let document = document.unwrap();
    for (kind, code) in kinds {
        let name = json!(kind).as_str().unwrap().to_owned();
        assert_eq!(failure(&situation(kind)), (name.clone(), code));
        assert!(document.contains(&format!("| `{name}` |")), "docs/protocol.md tells of {name}");
    }
}

/// clap has its own words and form; the exit code is the same.
#[test]
fn a_wrong_command_line_is_exit_code_two() {
    let machine = Machine::new();
    for line in ["get --wait soon", "get --format xml", "exec", "login --cancel --json"] {
        machine.command(line).assert().code(2);
    }
}
