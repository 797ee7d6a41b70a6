//! The kinds of login that `auth.json` can hold besides the tokens of a sign-in.

use crate::machine::{Machine, eventually};
use codex_credential::clock;
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use serde_json::{Value, json};

const API_REQUEST: &str = "protocol=https\nhost=api.openai.com\n\n";

fn with(document: &Value) -> Machine {
    let machine = Machine::new();
    machine.write_auth_json(document);
    machine
}

fn personal() -> Value {
    json!({"auth_mode": "personalAccessToken", "personal_access_token": "at-made-up"})
}

#[test]
fn personal_access_token_is_answered_as_it_is_and_named() {
    for document in
        [personal(), json!({"personal_access_token": "at-made-up", "OPENAI_API_KEY": "sk-made-up"})]
    {
        let machine = with(&document);
        assert_eq!(machine.token(), "at-made-up");
        let status = machine.command("status").assert().success();
        status.stdout(
            starts_with("Logged in using a personal access token\n")
                .and(contains("is not renewed")),
        );
        machine.command("renew").assert().success();
        assert_eq!(machine.auth_json(), document);
        assert!(machine.issuer.log().is_empty());
    }
}

#[test]
fn rejected_personal_access_token_needs_a_sign_in() {
    let machine = with(&personal());
    machine.refuse("at-made-up");
    let output = machine.command("get --interactive never --wait 20s").assert().code(3);
    output.stdout("").stderr(contains("it is a personal access token"));
    let login = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    assert_ne!(machine.token(), "at-made-up");
}

#[test]
fn logout_removes_a_personal_access_token_and_says_that_it_still_works() {
    let machine = with(&personal());
    machine.command("logout").assert().success().stderr(contains("still works"));
    assert!(!machine.path("auth.json").exists());
    assert!(machine.issuer.log().is_empty(), "it is not revoked");
}

#[test]
fn kind_that_cannot_be_shared_is_named_and_left_alone() {
    for (mode, says) in [
        ("agentIdentity", "an agent identity"),
        ("chatgptAuthTokens", "tokens that another program gives"),
        ("future", "unknown kind (auth_mode \"future\")"),
    ] {
        let document = json!({
            "auth_mode": mode, "agent_identity": "a.b.c", "tokens": {"access_token": "made-up"},
        });
        let machine = with(&document);
        for command in ["get", "status", "get --interactive always --wait 5s", "renew"] {
            let output = machine.command(command).assert().code(3);
            output.stdout("").stderr(contains(says).and(contains("codex-credential login")));
        }
        let output = machine.command("logout").assert().code(3);
        output.stderr(contains(says).and(contains("nothing was removed; ").not()));
        machine.command("logout").assert().code(3).stderr(contains("codex logout"));
        assert_eq!(machine.auth_json(), document);
        assert!(machine.issuer.log().is_empty(), "{mode}");
        let login = machine.start("login --wait 60s");
        machine.approve_next();
        assert!(login.wait_with_output().unwrap().status.success(), "{mode}");
        assert_eq!(machine.auth_json()["agent_identity"], "a.b.c");
        machine.token();
    }
}

#[test]
fn api_key_beside_tokens_is_named_by_status_and_logout() {
    let (machine, _) = Machine::signed_in(3600);
    let mut document = machine.auth_json();
    document["OPENAI_API_KEY"] = json!("sk-made-up");
    machine.write_auth_json(&document);
    machine
        .command("status")
        .assert()
        .success()
        .stdout(contains("an API key, which Codex does not use"));
    // Without `auth_mode`, Codex uses the key.
    let mut key_first = document.clone();
    key_first.as_object_mut().unwrap().remove("auth_mode");
    machine.write_auth_json(&key_first);
    let output = machine.command("get --format token").write_stdin(API_REQUEST).assert().success();
    output.stdout("sk-made-up\n");
    for command in ["status", "logout"] {
        let names_both = contains("an API key").and(contains("a ChatGPT login of ada@example.com"));
        machine.command(command).assert().code(3).stderr(names_both);
    }
    assert_eq!(machine.auth_json(), key_first);
    machine.write_auth_json(&document);
    let names_both = contains("ada@example.com").and(contains("with an API key"));
    machine.command("logout").assert().success().stderr(names_both);
    assert!(!machine.path("auth.json").exists());
}

fn with_opaque_token(last_refresh: &str) -> (Machine, String) {
    let (machine, tokens) = Machine::signed_in(3600);
    let mut document = machine.auth_json();
    document["tokens"]["access_token"] = json!("opaque");
    document["last_refresh"] = json!(last_refresh);
    machine.write_auth_json(&document);
    (machine, tokens.refresh_token)
}

/// As Codex does: it renews a token that does not say when it expires eight days after the last refresh.
#[test]
fn token_without_an_expiry_is_renewed_by_the_date_of_the_last_refresh() {
    let days_ago = |days: i64| clock::rfc3339(clock::now() - days * 24 * 3600);
    let (machine, _) = with_opaque_token(&days_ago(6));
    assert_eq!(machine.token(), "opaque");
    machine.command("status").assert().success().stdout(contains("(in 2"));
    assert!(machine.issuer.log().is_empty());
    let (machine, refresh_token) = with_opaque_token(&days_ago(8));
    assert_eq!(machine.token(), "opaque", "it is answered at once");
    eventually(|| machine.auth_json()["tokens"]["access_token"] != "opaque");
    assert_eq!(machine.issuer.times_sent(&refresh_token), 1);
}

#[test]
fn token_without_an_expiry_and_without_a_date_is_renewed_when_it_is_rejected() {
    let (machine, _) = with_opaque_token("");
    let status = machine.command("status").assert().success();
    status.stdout(contains("a rejection: the token does not say when it expires"));
    assert_eq!(machine.token(), "opaque");
    assert!(machine.issuer.log().is_empty());
    machine.refuse("opaque");
    assert_ne!(machine.token(), "opaque");
}
