//! `store` for a host of the profile: git calls it with each token that worked, and with what a URL contains.

use crate::machine::{Machine, OURS, ada};
use issuer::{Endpoint, Issuer, Tokens};
use predicates::str::is_empty;
use serde_json::json;

fn request_with(token: &str) -> String {
    format!("{}\nusername=ada@example.com\npassword={token}\n", OURS.trim_end())
}

fn login(tokens: &Tokens) -> String {
    let refresh_token = &tokens.refresh_token;
    format!("{}oauth_refresh_token={refresh_token}\n", request_with(&tokens.access_token))
}

/// An unsigned token that claims anything.
fn forged(claims: &serde_json::Value) -> String {
    use base64::Engine;
    let encode = |json: &serde_json::Value| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
    };
    format!("{}.{}.c2ln", encode(&json!({"alg": "none"})), encode(claims))
}

#[test]
fn access_token_alone_changes_nothing_and_says_nothing() {
    let (machine, stored) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let evil = Issuer::start();
    let now = codex_credential::clock::now();
    let newer = machine.issuer.grant(&ada(), 7200);
    let other = machine.issuer.grant(&Issuer::accounts()[2], 7200);
    let claims =
        json!({"iss": evil.url(), "iat": now + 60, "exp": now + 86_400, "sub": "user-ada"});
    for token in [
        stored.access_token.as_str(),
        &newer.access_token,
        &other.access_token,
        &forged(&claims),
        &forged(&json!({"exp": 1})),
        "hunter2",
        "gho_0123456789",
        "",
    ] {
        let output = machine.command("store").write_stdin(request_with(token)).assert();
        output.success().stdout(is_empty()).stderr(is_empty());
        let request = format!(
            "capability[]=authtype\n{}\nauthtype=Bearer\ncredential={token}\n",
            OURS.trim_end()
        );
        let output = machine.command("store").write_stdin(request).assert();
        output.success().stdout(is_empty()).stderr(is_empty());
    }
    assert_eq!(machine.auth_json(), before);
    assert_eq!(machine.issuer.counts().refreshes + evil.counts().refreshes, 0);
}

#[test]
fn claimed_issuer_of_the_stored_token_never_gets_the_refresh_token() {
    let (machine, stored) = Machine::signed_in(-1);
    let evil = Issuer::start();
    let mut document = machine.auth_json();
    let now = codex_credential::clock::now();
    document["tokens"]["access_token"] =
        forged(&json!({"iss": evil.url(), "iat": now - 20, "exp": now - 10})).into();
    machine.write_auth_json(&document);
    machine.command("get --wait 20s").assert().code(2);
    machine.command("logout").assert().code(2);
    assert_eq!(machine.issuer.times_sent(&stored.refresh_token), 0);
    assert!(evil.log().is_empty());
}

#[test]
fn login_of_the_same_account_is_proved_by_one_refresh_and_stored() {
    let (machine, old) = Machine::signed_in(3600);
    let mut document = machine.auth_json();
    document["future"] = json!({"a": [1, null]});
    machine.write_auth_json(&document);
    let new = machine.issuer.grant(&ada(), 7200);
    machine.command("store").write_stdin(login(&new)).assert().success().stderr(is_empty());
    assert_eq!(machine.issuer.times_sent(&new.refresh_token), 1);
    let stored = machine.auth_json();
    let refresh_token = stored["tokens"]["refresh_token"].as_str().unwrap();
    assert!(refresh_token != old.refresh_token && refresh_token != new.refresh_token);
    assert!(machine.issuer.is_live_refresh_token(refresh_token));
    assert_eq!(stored["future"], document["future"]);
    // The same input again, or the stored tokens, send nothing.
    machine.command("store").write_stdin(login(&new)).assert().success().stderr(is_empty());
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_eq!(machine.auth_json(), stored);
}

#[test]
fn login_that_is_not_the_signed_in_accounts_is_ignored() {
    let (machine, _) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let other = machine.issuer.grant(&Issuer::accounts()[2], 7200);
    machine.command("store").write_stdin(login(&other)).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json(), before);
    assert_eq!(machine.issuer.counts().revocations, 1, "the tokens that nobody keeps are revoked");
    let unknown = format!("{}oauth_refresh_token=made-up\n", request_with("made-up"));
    machine.command("store").write_stdin(unknown).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json(), before);
    machine.issuer.fault(Endpoint::Refresh, issuer::Fault::status(503, ""), 1);
    let new = machine.issuer.grant(&ada(), 7200);
    machine.command("store").write_stdin(login(&new)).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json(), before);
    // Nothing of it disturbs the next renewal.
    machine.refuse(before["tokens"]["access_token"].as_str().unwrap());
    machine.token();
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
fn store_without_a_login_signs_nobody_in() {
    let machine = Machine::new();
    let tokens = machine.issuer.grant(&ada(), 3600);
    for input in [request_with(&tokens.access_token), login(&tokens)] {
        machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    }
    assert!(!machine.path("auth.json").exists());
    assert_eq!(machine.issuer.counts().refreshes, 0);
}
