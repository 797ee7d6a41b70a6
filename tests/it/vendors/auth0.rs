//! Auth0: the method of client authentication is set for each application, and the metadata does not tell which.

use crate::gateway::Gateway;
use crate::machine::told;
use issuer::{Endpoint, Fault, Settings};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;
use std::fs;

const SECRET: &str = "a-long-client-secret";

/// A client whose secret the server takes in the body, and does not say so.
fn post_only(more: &str, change: impl FnOnce(&mut Settings)) -> Gateway {
    let more = format!("client_secret_file = \"secret\"\n{more}");
    let gateway = Gateway::with(&more, |s| {
        s.standard.client_secret = Some(SECRET.into());
        s.standard.secret_in_body = true;
        s.standard.not_discovered = vec!["token_endpoint_auth_methods_supported".into()];
        change(s);
    });
    fs::write(gateway.config().with_file_name("secret"), SECRET).unwrap();
    gateway
}

#[test]
fn other_method_is_tried_once_where_the_first_is_refused() {
    for status in [None, Some(400), Some(403), Some(200)] {
        let gateway = post_only("", |s| s.standard.error_status = status);
        let issuer = &gateway.machine.issuer;
        let token = gateway.sign_in();
        let sent = issuer.counts();
        assert_eq!(sent.user_codes, 2, "{status:?}: the first request was refused");
        assert_eq!(sent.polls_after_success, 0);
        let refused = issuer.log().into_iter().filter(|entry| entry.outcome == "invalid_client");
        assert_eq!(refused.count(), 1, "{status:?}: polls use the method that was accepted");
        gateway.erase(&token);
        assert_ne!(gateway.token(), token);
        assert_eq!(issuer.counts().refreshes, 2);
    }
}

#[test]
fn method_of_the_profile_is_the_only_one() {
    let gateway = post_only("client_auth = \"post\"", |_| {});
    let token = gateway.sign_in();
    gateway.erase(&token);
    assert_ne!(gateway.token(), token);
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.refreshes), (1, 1));

    let gateway = post_only("client_auth = \"basic\"", |_| {});
    let refused = gateway.command("login --wait 20s").assert().code(2);
    refused.stderr(contains("invalid_client"));
    assert_eq!(gateway.machine.issuer.counts().user_codes, 1);
}

#[test]
fn public_client_sends_no_secret() {
    let gateway = Gateway::with("client_secret_file = \"missing\"\nclient_auth = \"none\"", |_| {});
    gateway.sign_in();
}

#[test]
fn wrong_secret_is_refused_after_two_requests() {
    let gateway = post_only("", |s| s.standard.client_secret = Some("another-secret".into()));
    let refused = gateway.command("login --wait 20s").assert().code(2);
    refused.stderr(contains("client_secret_file"));
    assert_eq!(gateway.machine.issuer.counts().user_codes, 2);
}

#[test]
fn renewal_that_wants_another_factor_needs_a_sign_in_and_keeps_the_login() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.erase(&token);
    let body = json!({"error": "mfa_required", "error_description": "Multifactor authentication required"});
    gateway.machine.issuer.fault(Endpoint::Refresh, Fault::status(403, body.to_string()), 1);
    let output = gateway.command("get --interactive never --error-format json").output().unwrap();
    assert_eq!((output.status.code(), &told(&output)["kind"]), (Some(3), &json!("login_required")));
    assert_eq!(gateway.logins().len(), 1);
}

#[test]
fn profile_test_names_the_method_to_configure() {
    let gateway = post_only("", |_| {});
    let found = gateway.machine.command("profile test company").assert().success();
    found.stdout(
        contains("takes the secret in the body only").and(contains("client_auth = \"post\"")),
    );
    gateway.configure("client_secret_file = \"secret\"\nclient_auth = \"post\"");
    let found = gateway.machine.command("profile test company").assert().success();
    found.stdout(contains("sends its secret in the body").and(contains("waits for the user")));
}
