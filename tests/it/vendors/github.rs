//! GitHub: no discovery, no ID token, and errors with status 200.

use crate::gateway::Gateway;
use crate::machine::{PATIENCE, told};
use issuer::{Endpoint, Fault, Settings};
use predicates::str::contains;
use serde_json::json;

fn github() -> Gateway {
    with(|_| {})
}

fn with(change: impl FnOnce(&mut Settings)) -> Gateway {
    let gateway = Gateway::with("", |s| {
        s.standard.error_status = Some(200);
        s.standard.openid_discovery = false;
        s.standard.oauth_discovery = false;
        s.standard.answers_id_token = false;
        s.interval = issuer::Interval::Number(1);
        change(s);
    });
    let url = gateway.machine.issuer.url();
    gateway.configure(&format!(
        "device_authorization_endpoint = \"{url}/device_authorization\"\ntoken_endpoint = \"{url}/token\"\n\
         revocation_endpoint = \"{url}/revoke\""
    ));
    gateway
}

/// As GitHub sends it.
fn error(code: &str, description: &str) -> Fault {
    let body = json!({"error": code, "error_description": description, "error_uri": "https://docs.example"});
    Fault::status(200, body.to_string())
}

#[test]
fn pending_polls_and_slow_down_with_status_200_continue() {
    let gateway = with(|s| s.standard.slow_down = 1);
    let caller = gateway.start("login --wait 60s");
    let issuer = &gateway.machine.issuer;
    let code = issuer.wait_for_user_code(PATIENCE).unwrap();
    assert!(issuer.wait_until(|counts| counts.polls == 2, PATIENCE));
    issuer.approve(&code);
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token = gateway.token();
    assert!(issuer.is_live_access_token(&token));
    gateway.erase(&token);
    assert_ne!(gateway.token(), token);
    assert_eq!((issuer.counts().early_polls, issuer.counts().polls_after_success), (0, 0));
}

#[test]
fn denied_expired_and_unknown_device_codes_end_the_sign_in() {
    for (code, status, kind) in [
        ("access_denied", 4, "denied"),
        ("expired_token", 3, "login_expired"),
        ("incorrect_device_code", 3, "login_expired"),
        ("incorrect_client_credentials", 2, "configuration"),
        ("device_flow_disabled", 4, "device_login_disabled"),
    ] {
        let gateway = github();
        gateway.machine.issuer.fault(Endpoint::DeviceToken, error(code, "The text."), 1);
        let output = gateway.command("login --wait 60s --error-format json").output().unwrap();
        let error = told(&output);
        assert_eq!(output.status.code(), Some(status), "{code}: {error}");
        assert_eq!(error["kind"], kind, "{code}: {error}");
        assert!(
            !error["message"].as_str().unwrap().contains("sign-in was approved"),
            "{code}: {error}"
        );
    }
}

#[test]
fn refused_start_shows_the_code_and_the_description() {
    let gateway = github();
    let refused = error("device_flow_disabled", "Device Flow must be explicitly enabled.");
    gateway.machine.issuer.fault(Endpoint::UserCode, refused, 1);
    let output = gateway.command("login --wait 20s").assert().code(4);
    output.stderr(contains("Device Flow must be explicitly enabled"));
}

#[test]
fn refused_refresh_token_ends_the_login_and_a_wrong_client_secret_does_not() {
    let gateway = github();
    let issuer = &gateway.machine.issuer;
    let token = gateway.sign_in();
    gateway.erase(&token);
    let wrong = error("incorrect_client_credentials", "The client_secret is incorrect.");
    issuer.fault(Endpoint::Refresh, wrong, 1);
    let output = gateway.command("get --interactive never").assert().code(2);
    output.stderr(contains("client_secret_file"));
    crate::machine::eventually(|| gateway.command("get").output().unwrap().status.success());
    let token = gateway.token();
    gateway.erase(&token);
    let ended = error("bad_refresh_token", "The refresh token passed is incorrect or expired.");
    issuer.fault(Endpoint::Refresh, ended, 1);
    let output = gateway.command("get --interactive never").assert().code(3);
    output.stderr(contains("incorrect or expired"));
    let sent = issuer.counts().refreshes;
    gateway.command("get --interactive never").assert().code(3);
    assert_eq!(issuer.counts().refreshes, sent, "an invalid refresh token is not sent again");
}
