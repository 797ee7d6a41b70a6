//! `store`: a caller sends a token that it has used.

use crate::machine::{Machine, OURS, ada};
use issuer::Issuer;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::json;

fn request_with(token: &str) -> String {
    format!(
        "{}username=ada@example.com\npassword={token}\n\n",
        OURS.trim_end_matches("\n\n").to_owned() + "\n"
    )
}

#[test]
fn newer_token_is_stored_and_unknown_members_are_preserved() {
    let (machine, old) = Machine::signed_in(3600);
    let mut document = machine.auth_json();
    document["future"] = json!({"a": [1, null]});
    machine.write_auth_json(&document);
    // iat has whole seconds, so a newer token needs a later second.
    let new = loop {
        let new = machine.issuer.grant(&ada(), 7200);
        if issued_at(&new.access_token) > issued_at(&old.access_token) {
            break new;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let input = request_with(&new.access_token);
    machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    assert_eq!(machine.token(), new.access_token);
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], old.refresh_token);
    assert_eq!(machine.auth_json()["future"], document["future"]);
    // git may send an old token back later. It does not replace the newer one.
    let input = request_with(&old.access_token);
    machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    assert_eq!(machine.token(), new.access_token);
}

fn issued_at(token: &str) -> i64 {
    codex_credential::account::Claims::from_jwt(token).unwrap().iat.unwrap()
}

#[test]
fn token_of_another_account_is_refused() {
    let (machine, _) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let other = machine.issuer.grant(&Issuer::accounts()[2], 7200);
    machine.command("store").write_stdin(request_with(&other.access_token)).assert().code(2);
    let output = machine.command("store").write_stdin(request_with("hunter2")).assert().code(2);
    output.stderr(contains("hunter2").not());
    assert_eq!(machine.auth_json(), before);
}

#[test]
fn store_for_another_host_or_without_a_password_changes_nothing() {
    let (machine, _) = Machine::signed_in(3600);
    let before = machine.auth_json();
    for input in ["protocol=https\nhost=github.com\nusername=a\npassword=b\n", OURS, ""] {
        machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    }
    assert_eq!(machine.auth_json(), before);
}

#[test]
fn store_without_a_login_is_refused() {
    let machine = Machine::new();
    let tokens = machine.issuer.grant(&ada(), 3600);
    machine.command("store").write_stdin(request_with(&tokens.access_token)).assert().code(3);
    assert!(!machine.path("auth.json").exists());
}
