//! Refresh requests that the server refuses: which refusal ends the login, and what the user is told.

use crate::machine::{Machine, eventually, told};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use serde_json::{Value, json};
use std::fs;

const GET: &str = "get --interactive never --wait 20s --error-format json";

fn refusing(status: u16, body: &str) -> (Machine, String) {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(status, body), u32::MAX);
    (machine, tokens.refresh_token)
}

/// Runs `get` after the pause of the last failure. Returns its exit code and its error.
fn get(machine: &Machine) -> (i32, Value) {
    let _ = fs::remove_file(machine.own("failure"));
    let output = machine.command(GET).output().unwrap();
    (output.status.code().unwrap(), told(&output))
}

fn assert_ends(status: u16, body: &str) {
    let (machine, refresh_token) = refusing(status, body);
    for _ in 0..2 {
        let (code, error) = get(&machine);
        assert_eq!((code, &error["kind"]), (3, &json!("login_dead")), "{status} {body}: {error}");
    }
    assert_eq!(machine.issuer.times_sent(&refresh_token), 1, "{status} {body}");
    let status = machine.command("status").assert().code(3);
    status.stdout(starts_with("Signed out: the login has ended (127.0.0.1"));
}

#[test]
fn refusal_with_401_in_json_ends_the_login_whatever_its_code() {
    for body in ["{}", r#"{"error":"brand_new"}"#, r#"{"error":{"code":null,"message":"no"}}"#] {
        assert_ends(401, body);
    }
}

#[test]
fn final_code_ends_the_login_in_each_shape() {
    for (status, code) in [
        (400, "app_session_terminated"),
        (400, "refresh_token_revoked"),
        (401, "token_revoked"),
        (403, "account_deactivated"),
    ] {
        assert_ends(status, &json!({"error": {"code": code}}).to_string());
        assert_ends(status, &json!({ "error": code }).to_string());
        assert_ends(status, &json!({"detail": {"code": code}}).to_string());
        assert_ends(status, &json!({ "code": code }).to_string());
    }
}

#[test]
fn third_refusal_without_a_known_reason_asks_for_a_sign_in_and_keeps_the_login() {
    for (status, body) in [(400, ""), (400, r#"{"error":"brand_new"}"#), (403, "{}"), (401, "no")] {
        let (machine, refresh_token) = refusing(status, body);
        for _ in 0..2 {
            let (code, error) = get(&machine);
            assert_eq!(code, 1, "{status} {body}: {error}");
            assert_eq!(error["command"], "codex-credential login", "{error}");
        }
        let (code, error) = get(&machine);
        assert_eq!(code, 3, "{status} {body}: {error}");
        assert!(error["message"].as_str().unwrap().contains("3 times in a row"), "{error}");
        assert_eq!(machine.issuer.times_sent(&refresh_token), 3);
        // Within the pause, callers are asked to sign in and send nothing.
        assert_eq!(machine.command(GET).output().unwrap().status.code(), Some(3));
        assert_eq!(machine.issuer.times_sent(&refresh_token), 3);
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], refresh_token);
        machine.issuer.clear_faults();
        let _ = fs::remove_file(machine.own("failure"));
        assert!(machine.issuer.is_live_access_token(&machine.token()), "{status} {body}");
        eventually(|| !machine.own("refusals").exists());
    }
}

#[test]
fn other_login_is_not_counted_with_the_refusals_of_the_first() {
    let (machine, _) = refusing(400, "{}");
    assert_eq!((get(&machine).0, get(&machine).0), (1, 1));
    machine.sign_in(-1);
    assert_eq!((get(&machine).0, get(&machine).0, get(&machine).0), (1, 1, 3));
}

#[test]
fn web_page_and_temporary_error_never_ask_for_a_sign_in() {
    for (status, body) in [
        (403, "<html>blocked</html>"),
        (429, "{}"),
        (400, r#"{"error":"temporarily_unavailable"}"#),
        (403, r#"{"error":{"code":"unsupported_country_region_territory"}}"#),
    ] {
        let (machine, _) = refusing(status, body);
        for _ in 0..4 {
            let (code, error) = get(&machine);
            assert_eq!((code, &error["command"]), (1, &Value::Null), "{status} {body}: {error}");
        }
    }
}

#[test]
fn message_of_the_server_is_shown_without_the_token_that_it_repeats() {
    for (status, code) in [(401, 3), (400, 1)] {
        let (machine, tokens) = Machine::signed_in(-1);
        let message = format!("Session of '{}' is over.", tokens.refresh_token);
        let body = json!({"error": {"code": "brand_new", "message": message}}).to_string();
        machine.issuer.fault(Endpoint::Refresh, Fault::status(status, body), 1);
        let output = machine.command("get --interactive never --wait 20s").assert().code(code);
        let is_hidden = || contains(tokens.refresh_token.as_str()).not();
        output.stderr(contains("brand_new (Session of '...' is over.)").and(is_hidden()));
        machine.command("status").assert().stdout(is_hidden());
    }
}
