//! `status`: the account, the storage, the expiry, and a pending sign-in.

use crate::machine::{Machine, PATIENCE};
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use serde_json::{Value, json};

fn status(machine: &Machine, code: i32) -> Value {
    let output = machine.command("status --json").assert().code(code);
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

#[test]
fn signed_in_status_shows_account_storage_and_expiry() {
    let (machine, tokens) = Machine::signed_in(863_999);
    let output = machine.command("status").assert().code(0);
    output
        .stdout(starts_with("Logged in using ChatGPT\n").and(contains("ada@example.com")))
        .stdout(contains("plus").and(contains(tokens.account_id.as_str())))
        .stdout(contains(machine.path("auth.json").to_str().unwrap()))
        .stdout(contains("(in 9 days 23 h)").and(contains(tokens.access_token.as_str()).not()));
    let status = status(&machine, 0);
    assert_eq!(status["signed_in"], true);
    assert_eq!(status["email"], "ada@example.com");
    assert_eq!(status["access_token_usable"], true);
    assert_eq!(status["pending"], Value::Null);
    let at = |name: &str| status[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let ahead = at("expires_at").as_second() - at("renews_at").as_second();
    assert_eq!(ahead, 25 * 3600, "the renewal is due a day and an hour before the end");
}

#[test]
fn variables_that_override_the_login_in_codex_are_named() {
    let (mut machine, _) = Machine::signed_in(3600);
    assert_eq!(status(&machine, 0)["overridden_by"], json!([]));
    machine.set("CODEX_ACCESS_TOKEN", "made-up");
    machine.set("OPENAI_IDENTITY_TOKEN_FILE", "/made/up");
    let named = ["CODEX_ACCESS_TOKEN", "OPENAI_IDENTITY_TOKEN_FILE"];
    assert_eq!(status(&machine, 0)["overridden_by"], json!(named));
    let output = machine.command("status").assert().code(0);
    output.stdout(contains(named[0]).and(contains(named[1])).and(contains("made-up").not()));
}

#[test]
fn not_signed_in_and_unreadable_login_exit_with_3() {
    let machine = Machine::new();
    let output = machine.command("status").assert().code(3);
    let hint = contains("codex-credential login");
    output.stdout(starts_with("Not logged in\n")).stderr(hint);
    assert_eq!(status(&machine, 3)["signed_in"], false);
    std::fs::write(machine.path("auth.json"), "{ torn").unwrap();
    machine.command("status").assert().code(3).stderr(contains("auth.json"));
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
}

#[test]
fn expired_token_with_a_refresh_token_is_signed_in() {
    let (machine, _) = Machine::signed_in(-90);
    let output = machine.command("status").assert().code(0);
    output.stdout(contains("(1 min").and(contains("ago)")).and(contains("the next get")));
    assert_eq!(status(&machine, 0)["access_token_usable"], false);
}

#[test]
fn ended_login_is_not_signed_in_and_the_pending_sign_in_is_shown() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    let mut caller = machine.start("get --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    crate::machine::eventually(|| machine.sign_in_file("pending").exists());
    let status = status(&machine, 3);
    assert_eq!(status["pending"]["user_code"], code);
    assert!(status["cannot_renew"].is_string(), "{status}");
    let output = machine.command("status").assert().code(3);
    let output = output.stdout(contains(code.as_str()).and(contains("never")));
    output.stderr(contains("hint").not());
    caller.kill().unwrap();
    caller.wait().unwrap();
}

#[test]
fn rejected_token_is_shown() {
    let (machine, tokens) = Machine::signed_in(3600);
    machine.refuse(&tokens.access_token);
    machine.command("status").assert().code(0).stdout(contains("rejected"));
}

#[test]
fn login_without_a_refresh_token_cannot_be_renewed() {
    let (machine, _) = Machine::signed_in(3600);
    let mut document = machine.auth_json();
    document["tokens"]["refresh_token"] = json!("");
    machine.write_auth_json(&document);
    assert!(status(&machine, 0)["cannot_renew"].is_string());
}
