//! Without a login, all callers share one device authorization.

use crate::machine::{Machine, PATIENCE, eventually, token_of, told};
use issuer::{Endpoint, Fault, Interval};
use predicates::prelude::*;
use predicates::str::contains;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn sixty_four_callers_share_one_code_one_exchange_and_one_token() {
    let machine = Machine::with(|s| s.auto_approve = Some(Duration::from_millis(500)));
    let tokens = machine.crowd(64);
    assert_eq!(tokens.len(), 64);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges, counts.refreshes), (1, 1, 0));
    assert_eq!(counts.early_polls, 0);
    assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens[0]);
}

#[test]
fn caller_with_closed_streams_gets_the_token_after_approval() {
    let machine = Machine::with(|s| s.auto_approve = Some(Duration::from_secs(1)));
    let mut command = machine.std_command("get --format token --wait 60s");
    let caller = command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    assert!(machine.issuer.is_live_access_token(&token_of(caller.spawn().unwrap())));
    // With closed file descriptors and a valid token.
    let program = assert_cmd::cargo::cargo_bin!("codex-credential");
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().env("CODEX_HOME", machine.codex_home()).stdout(Stdio::piped());
    shell.args(["-c", "exec \"$0\" get --format token <&- 2>&-"]).arg(program);
    assert!(machine.issuer.is_live_access_token(&token_of(shell.spawn().unwrap())));
}

#[test]
fn caller_out_of_time_reports_the_pending_sign_in_and_the_next_caller_joins_it() {
    let machine = Machine::new();
    let output = machine.command("get --wait 2s").assert().code(3);
    let code = machine.issuer.user_codes()[0].clone();
    let url = format!("{}/codex/device", machine.issuer.url());
    let says = contains(code.as_str()).and(contains(url)).and(contains("14 min"));
    output.stdout("").stderr(says.and(contains("hint: ")));
    let next = machine.start("get --format token --wait 60s");
    machine.issuer.approve(&code);
    token_of(next);
    assert_eq!(machine.issuer.counts().user_codes, 1);
}

#[test]
fn pending_sign_in_is_reported_as_json_with_its_code() {
    let machine = Machine::new();
    let output = machine.command("get --wait 2s --error-format json").assert().code(3);
    let error = told(output.get_output());
    assert_eq!(error["kind"], "login_pending");
    assert_eq!(error["user_code"], machine.issuer.user_codes()[0]);
}

#[test]
fn caller_that_waits_without_a_terminal_writes_the_code_before_it_waits() {
    let machine = Machine::new();
    for format in ["text", "json"] {
        let line = format!("get --format token --wait 60s --error-format {format}");
        let mut caller = machine.start(&line);
        let mut line = String::new();
        let mut errors = BufReader::new(caller.stderr.take().unwrap());
        errors.read_line(&mut line).unwrap();
        let code = machine.issuer.user_codes()[0].clone();
        assert!(line.contains(&code) && line.contains("/codex/device"), "{line}");
        assert_eq!(line.starts_with('{'), format == "json", "{line}");
        caller.kill().unwrap();
        caller.wait().unwrap();
    }
    machine.command("login --cancel").assert().success();
}

#[test]
fn caller_that_may_not_ask_writes_no_code() {
    let machine = Machine::new();
    let mut asking = machine.start("get --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.sign_in_file("pending").exists());
    let lines = ["get --interactive never", "get --interactive never --wait 1s", "renew"];
    for line in lines {
        let output = machine.command(line).timeout(PATIENCE).assert().code(3);
        let text = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(
            !text.contains(&code) && text.contains("codex-credential status"),
            "{line}: {text}"
        );
    }
    let output = machine.command("get").env("CI", "true").assert().code(3);
    output.stderr(contains(code).not());
    asking.kill().unwrap();
    asking.wait().unwrap();
}

#[test]
fn polling_continues_after_429_5xx_and_lost_connections() {
    let machine = Machine::new();
    let pause = ("retry-after".to_owned(), "2".to_owned());
    let busy = Fault::Status { code: 429, body: String::new(), headers: vec![pause] };
    machine.issuer.fault(Endpoint::DeviceToken, busy, 1);
    machine.issuer.fault(Endpoint::DeviceToken, Fault::status(503, "<html>"), 1);
    machine.issuer.fault(Endpoint::DeviceToken, Fault::Drop, 1);
    let caller = machine.start("get --format token --wait 60s");
    machine.approve_next();
    token_of(caller);
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.polls, counts.early_polls), (1, 4, 0));
}

#[test]
fn absent_interval_defaults_to_five_seconds() {
    let machine = Machine::with(|s| s.interval = Interval::Absent);
    let mut caller = machine.start("get");
    eventually(|| machine.sign_in_file("pending").exists());
    caller.kill().unwrap();
    caller.wait().unwrap();
    let pending = std::fs::read_to_string(machine.sign_in_file("pending")).unwrap();
    assert!(pending.contains("\"interval\":5"));
}

#[test]
fn denied_sign_in_ends_for_every_waiting_caller() {
    let machine = Machine::new();
    let callers = [(); 3].map(|()| machine.start("get --wait 60s --error-format json"));
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.deny(&code);
    for caller in callers {
        let output = caller.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(told(&output)["kind"], "denied");
    }
    assert_eq!(machine.issuer.counts().user_codes, 1);
}

#[test]
fn expired_code_fails_and_the_next_call_gets_a_fresh_one() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(2));
    let caller = machine.start("get --wait 60s --error-format json");
    let expired = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(told(&output)["kind"], "login_expired");
    machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(900));
    let next = machine.start("get --format token --wait 60s");
    machine.approve_another_than(&expired);
    token_of(next);
    assert_eq!(machine.issuer.counts().user_codes, 2);
}

#[test]
fn device_login_disabled_names_who_can_enable_it() {
    let machine = Machine::with(|s| s.device_login = false);
    let output = machine.command("get --wait 20s").assert().code(4);
    output.stderr(contains("administrator"));
    let answered = |body: &str| {
        let machine = Machine::new();
        machine.issuer.fault(Endpoint::UserCode, Fault::status(403, body), 1);
        machine.command("get --wait 20s").assert()
    };
    answered(r#"{"error":"x"}"#).code(4).stderr(contains("Settings, Security"));
    // A web page is not an administrator's decision.
    answered("<!DOCTYPE html>").code(1).stderr(contains("web page"));
}

#[test]
fn login_stored_by_another_program_answers_the_waiting_callers() {
    let machine = Machine::new();
    let caller = machine.start("get --format token --wait 60s");
    machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let tokens = machine.sign_in(3600);
    assert_eq!(token_of(caller), tokens.access_token);
    eventually(|| machine.renewers().is_empty());
    eventually(|| !machine.sign_in_file("pending").exists());
    assert_eq!(machine.issuer.counts().exchanges, 0);
}

#[test]
fn login_keeps_the_stored_login_until_the_new_one_is_complete() {
    let (machine, old) = Machine::signed_in(3600);
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    assert_eq!(machine.token(), old.access_token);
    machine.issuer.approve(&code);
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success());
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("ada@example.com"), "{says}");
    assert_ne!(machine.token(), old.access_token);
}

#[test]
fn sign_in_stores_a_login_that_codex_can_read() {
    let machine = Machine::new();
    let caller = machine.start("get --format token --wait 60s");
    machine.approve_next();
    let token = token_of(caller);
    let document = machine.auth_json();
    assert_eq!(document["auth_mode"], "chatgpt");
    assert_eq!(document["OPENAI_API_KEY"], serde_json::Value::Null);
    assert_eq!(document["tokens"]["access_token"], token);
    assert!(document["tokens"]["id_token"].is_string());
    assert!(document["tokens"]["refresh_token"].is_string());
    assert_eq!(document["tokens"]["account_id"], crate::machine::ada().account_id);
    let provenance = &document["tokens"]["oauth_provenance"];
    assert_eq!(provenance["issuer"], machine.issuer.url());
    assert_eq!(provenance["client_id"], issuer::CLIENT_ID);
    assert!(document["last_refresh"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn pending_sign_in_does_not_block_a_renewal() {
    let (machine, _) = Machine::signed_in(-1);
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let renewed = machine.token();
    assert!(machine.issuer.is_live_access_token(&renewed));
    assert_eq!(machine.issuer.counts().refreshes, 1);
    // The renewal does not complete the sign-in.
    machine.issuer.approve(&code);
    assert!(login.wait_with_output().unwrap().status.success());
    assert_ne!(machine.token(), renewed);
    assert_eq!(machine.issuer.counts().exchanges_granted, 1);
}

#[test]
fn login_during_a_refresh_still_asks_for_a_code() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(500)), 1);
    let caller = machine.start("get --format token --wait 60s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    let login = machine.start("login --wait 60s");
    token_of(caller);
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(machine.issuer.counts().exchanges_granted, 1);
}

#[test]
fn login_without_a_terminal_asks_on_stderr() {
    let machine = Machine::new();
    let login = machine.start("login");
    let code = machine.approve_next();
    let output = login.wait_with_output().unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    let url = format!("\n{}/codex/device\n", machine.issuer.url());
    assert!(says.contains(&url) && says.contains(&format!("\n{code}\n")), "{says}");
    assert!(says.ends_with("ada@example.com\n") && !says.contains('\u{1b}'), "{says}");
}
