//! When and where the user is asked to sign in.

use crate::machine::{Machine, PATIENCE, eventually, token_of, told};
use predicates::str::contains;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

#[test]
fn caller_without_a_terminal_fails_at_once_with_the_code() {
    let machine = Machine::new();
    let output = machine.command("get").assert().code(3);
    let code = machine.issuer.user_codes()[0].clone();
    let line = format!("sign in at {}/codex/device with the code {code} (1", machine.issuer.url());
    output.stdout("").stderr(contains(line));
    assert_eq!(machine.renewers().len(), 1, "polling continues");
    // More calls do not request a second code.
    for _ in 0..20 {
        machine.command("get").assert().code(3).stderr(contains(code.as_str()));
    }
    machine.issuer.approve(&code);
    eventually(|| machine.path("auth.json").exists());
    machine.command("get").assert().success();
    assert_eq!(machine.issuer.counts().user_codes, 1);
}

#[test]
fn interactive_never_starts_no_sign_in_and_names_the_command() {
    for (name, value) in [
        ("CODEX_CREDENTIAL_INTERACTIVE", "never"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GCM_INTERACTIVE", "Never"),
        ("CI", "true"),
    ] {
        let machine = Machine::new();
        let output = machine.command("get").env(name, value).assert().code(3);
        output.stderr(contains("codex-credential login"));
        assert_eq!(machine.issuer.counts().user_codes, 0, "{name}");
        // The option overrides all variables, and CODEX_CREDENTIAL_INTERACTIVE overrides the variables of other programs.
        let output = machine.command("get --interactive auto").env(name, value).assert().code(3);
        output.stderr(contains("/codex/device"));
        let mut command = machine.command("get");
        command.env("CI", "true").env("CODEX_CREDENTIAL_INTERACTIVE", "auto");
        command.assert().code(3).stderr(contains("/codex/device"));
    }
    let machine = Machine::new();
    let mut command = machine.command("get");
    let output = command.env("CODEX_CREDENTIAL_INTERACTIVE", "perhaps").assert().code(2);
    output.stderr(contains("CODEX_CREDENTIAL_INTERACTIVE"));
}

#[test]
fn interactive_never_still_renews() {
    let (machine, _) = Machine::signed_in(-1);
    machine.command("get --interactive never").assert().success();
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn non_interactive_caller_leaves_a_pending_sign_in_alone() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.expire_refresh_token(&tokens.refresh_token);
    let slow = issuer::Fault::DelayAfter(Duration::from_millis(500));
    machine.issuer.fault(issuer::Endpoint::Refresh, slow, 1);
    let never = machine.start("get --interactive never --wait 20s");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    let interactive = machine.start("get --format token --wait 60s");
    assert_eq!(never.wait_with_output().unwrap().status.code(), Some(3));
    machine.approve_next();
    token_of(interactive);
}

#[test]
fn interactive_always_asks_on_stderr_and_waits() {
    let machine = Machine::new();
    let caller = machine.start("get --interactive always");
    let code = machine.approve_next();
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success());
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains(&format!("\n{code}\n")), "{says}");
}

fn events(login: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let lines = BufReader::new(login.stdout.take().unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[test]
fn login_json_prints_each_event() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(2));
    let mut login = machine.start("login --json");
    let mut events = events(&mut login);
    let code = events.next().unwrap();
    assert_eq!(code["event"], "code");
    assert!(code["verification_uri"].as_str().unwrap().ends_with("/codex/device"));
    assert!(code["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(events.find(|event| event["event"] != "pending").unwrap()["event"], "expired");
    machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(600));
    // The next code may still have the short lifetime.
    let is_lasting = |event: &Value| {
        let end: jiff::Timestamp = event["expires_at"].as_str().unwrap().parse().unwrap();
        end.as_second() > codex_credential::clock::now() + 60
    };
    let fresh = events.find(|event| event["event"] == "code" && is_lasting(event)).unwrap();
    assert_eq!(events.next().unwrap()["event"], "pending");
    machine.issuer.approve(fresh["user_code"].as_str().unwrap());
    let approved = events.find(|event| event["event"] == "approved").unwrap();
    assert_eq!(approved["email"], "ada@example.com");
    assert!(login.wait().unwrap().success());
}

#[test]
fn login_json_prints_a_denial() {
    let machine = Machine::new();
    let mut login = machine.start("login --json");
    let mut events = events(&mut login);
    let code = events.next().unwrap();
    machine.issuer.deny(code["user_code"].as_str().unwrap());
    let denied = events.find(|event| event["event"] == "denied").unwrap();
    assert_eq!(denied["error"]["kind"], "denied");
    assert_eq!(login.wait().unwrap().code(), Some(4));
}

#[test]
fn login_cancel_ends_the_pending_sign_in() {
    let machine = Machine::new();
    let caller = machine.start("get --wait 60s --error-format json");
    machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.sign_in_file("pending").exists());
    machine.command("login --cancel").assert().success();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(told(&output)["kind"], "login_cancelled");
    eventually(|| machine.renewers().is_empty());
    machine.command("login --cancel").assert().success();
}
