//! Keycloak.

use crate::gateway::{Gateway, read};
use crate::machine::{PATIENCE, eventually, files, kill, token_of};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;

/// A client with "Proof Key for Code Exchange Code Challenge Method: S256" needs it in the device flow, too.
#[test]
fn required_pkce_is_used_whether_it_is_listed_or_not() {
    for lists_pkce in [true, false] {
        let gateway = Gateway::with("", |s| {
            s.standard.lists_pkce = lists_pkce;
            s.standard.requires_pkce = true;
        });
        gateway.sign_in();
        let requests = gateway.machine.issuer.log();
        let starts = requests.iter().filter(|request| request.path == "/device_authorization");
        assert_eq!(starts.count(), if lists_pkce { 1 } else { 2 });
    }
}

/// Keycloak answers 401 with a code that elsewhere means that the client may not use this grant.
#[test]
fn wrong_client_secret_is_not_taken_for_a_forbidden_grant() {
    let gateway = Gateway::new();
    let body = json!({
        "error": "unauthorized_client",
        "error_description": "Invalid client or Invalid client credentials",
    });
    gateway.machine.issuer.fault(Endpoint::UserCode, Fault::status(401, body.to_string()), 1);
    let refused = gateway.command("login --wait 20s").assert().code(2);
    refused.stderr(contains("Invalid client credentials").and(contains("client_secret_file")));
}

#[test]
fn profile_test_tells_how_pkce_is_used() {
    for (lists_pkce, requires_pkce, found) in [
        (true, false, "used (S256)"),
        (true, true, "used (S256)"),
        (false, true, "requires it, and does not list it"),
        (false, false, "not used"),
    ] {
        let gateway = Gateway::with("", |s| {
            s.standard.lists_pkce = lists_pkce;
            s.standard.requires_pkce = requires_pkce;
        });
        let report = gateway.machine.command("profile test company").assert().success();
        report.stdout(contains(found).and(contains("waits for the user")));
    }
}

#[test]
fn killed_sign_in_goes_on_with_its_code_verifier() {
    let gateway = Gateway::with("", |s| {
        s.standard.lists_pkce = true;
        s.standard.requires_pkce = true;
    });
    let mut caller = gateway.start("get --format token --wait 60s");
    let code = gateway.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let record = || {
        let found = files(&gateway.state());
        found.into_iter().find(|file| file.ends_with("pending"))
    };
    eventually(|| record().is_some());
    let request = &read(&record().unwrap())["request"]["device_code"];
    assert_eq!(request["code_verifier"].as_str().unwrap().len(), 43);
    gateway.machine.renewers().into_iter().for_each(kill);
    caller.kill().unwrap();
    caller.wait().unwrap();
    gateway.machine.issuer.approve(&code);
    token_of(gateway.start("get --format token --wait 60s"));
    assert_eq!(gateway.machine.issuer.counts().user_codes, 1);
}

#[test]
fn server_that_refuses_a_listed_challenge_gets_none() {
    let gateway = Gateway::with("", |s| s.standard.lists_pkce = true);
    let body = json!({
        "error": "invalid_request", "error_description": "Unknown parameter: code_challenge",
    });
    let refused = Fault::status(400, body.to_string());
    gateway.machine.issuer.fault(Endpoint::UserCode, refused, 1);
    gateway.sign_in();
}
