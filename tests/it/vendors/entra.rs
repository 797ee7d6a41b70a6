//! Microsoft Entra ID.

use crate::gateway::{Gateway, read};
use crate::machine::told;
use issuer::{Endpoint, Fault};
use serde_json::{Value, json};

/// A policy that asks for a second factor is no end of the refresh token: a machine that is back in the company's
/// network may renew again.
fn refused_refresh(status: u16, body: &Value) -> (Gateway, std::process::Output) {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.erase(&token);
    gateway.machine.issuer.fault(Endpoint::Refresh, Fault::status(status, body.to_string()), 1);
    let output = gateway.command("get --interactive never --error-format json").output().unwrap();
    (gateway, output)
}

const FACTOR: &str = "AADSTS50076: Due to a configuration change made by your administrator, you must use \
                      multi-factor authentication. Trace ID: 0b5e5a8c-3a3b-4a3e-9c9d-6f1d3c2b1a00";

#[test]
fn policy_that_wants_the_user_needs_a_sign_in_and_keeps_the_login() {
    for code in ["interaction_required", "consent_required", "login_required"] {
        let body = json!({"error": code, "error_description": FACTOR, "error_codes": [50076]});
        let (gateway, output) = refused_refresh(400, &body);
        let error = told(&output);
        assert_eq!(output.status.code(), Some(3), "{code}: {error}");
        assert_eq!(error["kind"], "login_required", "{code}: {error}");
        assert!(error["message"].as_str().unwrap().contains("AADSTS50076"), "{error}");
        let command = error["command"].as_str().unwrap();
        assert!(command.starts_with("codex-credential login"), "{error}");
        // Callers in the next minute send nothing.
        let sent = gateway.machine.issuer.counts().refreshes;
        gateway.command("get --interactive never").assert().code(3);
        assert_eq!(gateway.machine.issuer.counts().refreshes, sent);
        // The refresh token was not refused.
        assert!(read(&gateway.logins()[0])["refresh_token"].is_string());
        let files = crate::machine::files(&gateway.state());
        assert!(!files.iter().any(|file| file.ends_with("invalid-token")));
        let failure = files.iter().find(|file| file.ends_with("failure")).unwrap();
        std::fs::remove_file(failure).unwrap();
        gateway.token();
    }
}

#[test]
fn interactive_caller_signs_in_where_a_policy_wants_the_user() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.erase(&token);
    let body = json!({"error": "interaction_required", "error_description": FACTOR});
    gateway.machine.issuer.fault(Endpoint::Refresh, Fault::status(400, body.to_string()), 1);
    let caller = gateway.start("get --format token --interactive always --wait 60s");
    gateway.machine.approve_next();
    assert_ne!(crate::machine::token_of(caller), token);
}

#[test]
fn refusals_of_a_refresh_have_their_own_kinds_and_keep_the_login() {
    let description =
        "AADSTS7000218: The request body must contain client_assertion or client_secret.";
    for (status, code, exit, kind) in [
        (401, "invalid_client", 2, "configuration"),
        (400, "unauthorized_client", 2, "configuration"),
        (403, "access_denied", 4, "denied"),
        (400, "authorization_declined", 4, "denied"),
        (400, "something_new", 1, "server"),
        (503, "invalid_client", 1, "server"),
    ] {
        let body = json!({"error": code, "error_description": description});
        let (gateway, output) = refused_refresh(status, &body);
        let error = told(&output);
        assert_eq!(output.status.code(), Some(exit), "{code}: {error}");
        assert_eq!(error["kind"], kind, "{code}: {error}");
        let is_shown = error["message"].as_str().unwrap().contains("AADSTS7000218");
        assert_eq!(is_shown, status < 500, "{code}: {error}");
        assert_eq!(gateway.logins().len(), 1);
    }
}

/// `/common` and `/organizations` publish a document for the users of all tenants.
#[test]
fn multi_tenant_issuer_says_which_issuer_to_configure() {
    let gateway = Gateway::new();
    let url = gateway.machine.issuer.url();
    gateway.machine.issuer.set(|s| s.standard.issuer = Some(format!("{url}/{{tenantid}}/v2.0")));
    for line in ["login --wait 20s", "profile test"] {
        let line = format!("{line} company");
        let line =
            if line.starts_with("login") { "login --wait 20s --profile company" } else { &line };
        let output = gateway.machine.command(line).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains(&format!("issuer = \"{url}/TENANT-ID/v2.0\"")), "{line}: {text}");
        assert!(text.contains("many tenants"), "{line}: {text}");
    }
    assert_eq!(gateway.machine.issuer.counts().user_codes, 0);
}

#[test]
fn description_that_repeats_what_was_sent_does_not_show_it() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.erase(&token);
    let refresh_token = read(&gateway.logins()[0])["refresh_token"].as_str().unwrap().to_owned();
    let body = json!({
        "error": "something_new",
        "error_description": format!("no such token ({refresh_token}) {}", "far too long ".repeat(100)),
    });
    gateway.machine.issuer.fault(Endpoint::Refresh, Fault::status(400, body.to_string()), 1);
    let output = gateway.command("get --interactive never -v").output().unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("no such token (...)") && !says.contains(&refresh_token), "{says}");
    assert!(says.lines().all(|line| line.len() < 400), "{says}");
}
