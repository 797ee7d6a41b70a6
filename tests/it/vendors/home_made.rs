//! Home-made servers, and gateways in front of others: numbers in any form, and odd device authorizations.

use crate::gateway::{Gateway, read};
use crate::machine::{PATIENCE, told};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use issuer::{Endpoint, Fault};
use serde_json::{Value, json};

/// Signs in and returns the exit code and error of the first `get`.
fn get_after(response: &Value) -> (Gateway, std::process::Output) {
    let gateway = Gateway::with("", |s| s.interval = issuer::Interval::Number(1));
    let fault = Fault::status(200, response.to_string());
    gateway.machine.issuer.fault(Endpoint::DeviceToken, fault, 1);
    let output = gateway
        .command("get --format json --error-format json --interactive always --wait 60s")
        .output()
        .unwrap();
    (gateway, output)
}

fn jwt(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn lifetime_of_any_form_is_read_and_the_earlier_end_counts() {
    let now = codex_credential::clock::now();
    let opaque = |expires_in| json!({"access_token": "a", "expires_in": expires_in});
    let signed = |exp, expires_in| json!({"access_token": jwt(&json!({"iat": now, "exp": exp})), "expires_in": expires_in});
    for (response, expected) in [
        (opaque(json!(3600.0)), Some(3600)),
        (opaque(json!("3600.5")), Some(3600)),
        (opaque(json!("3600")), Some(3600)),
        (opaque(json!(0)), None),
        (opaque(json!(null)), None),
        (opaque(json!("")), None),
        (signed(json!(now + 1000), json!(3600)), Some(1000)),
        (signed(json!(now + 3600), json!(1000)), Some(1000)),
        (signed(json!((now + 1000) * 1000), json!(null)), Some(1000)),
        (signed(json!((now + 1000).to_string()), json!(0)), Some(1000)),
    ] {
        let (gateway, output) = get_after(&response);
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{response}: {says}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let left = answer["expires_in"].as_i64();
        let is_expected = match (left, expected) {
            (Some(left), Some(all)) => (all - 60..=all).contains(&left),
            (left, expected) => left == expected,
        };
        assert!(is_expected, "{response}: {left:?}");
        assert_eq!(gateway.machine.issuer.counts().user_codes, 1, "{response}");
    }
}

#[test]
fn token_that_has_expired_on_arrival_is_one_error_and_one_sign_in() {
    let now = codex_credential::clock::now();
    let past = jwt(&json!({"iat": now - 7200, "exp": now - 3600}));
    for response in [
        json!({"access_token": "a", "expires_in": -5}),
        json!({"access_token": past, "expires_in": 3600}),
        json!({"access_token": "a", "refresh_token": "r", "expires_in": -5}),
    ] {
        let gateway = Gateway::with("", |s| s.interval = issuer::Interval::Number(1));
        let fault = || Fault::status(200, response.to_string());
        gateway.machine.issuer.fault(Endpoint::DeviceToken, fault(), 9);
        gateway.machine.issuer.fault(Endpoint::Refresh, fault(), 9);
        let line = "get --error-format json --interactive always --wait 60s";
        let output = gateway.command(line).output().unwrap();
        let error = told(&output);
        assert_eq!(output.status.code(), Some(1), "{response}: {error}");
        assert!(error["message"].as_str().unwrap().contains("already expired"), "{error}");
        let counts = gateway.machine.issuer.counts();
        assert!(counts.user_codes == 1 && counts.refreshes <= 1, "{response}: {counts:?}");
    }
}

#[test]
fn odd_but_usable_device_authorization_is_shown() {
    let page = "https://a.example/device";
    for (members, user_code, expected) in [
        (json!({"verification_uri": page, "verification_url": page}), json!("ABCD-1234"), page),
        (json!({"verification_uri": "", "verification_url": page}), json!("ABCD-1234"), page),
        (json!({"verification_uri": "/device"}), json!("ABCD-1234"), "/device"),
        (json!({"verification_uri": page}), json!(12_345_678), page),
        (
            json!({"verification_uri": page, "expires_in": "600.5", "interval": "2"}),
            json!("A"),
            page,
        ),
        (json!({"verification_uri": page, "expires_in": 0, "interval": -1}), json!("A"), page),
        (json!({"verification_uri": page, "verification_uri_complete": 7}), json!("A"), page),
    ] {
        let gateway = Gateway::new();
        let mut body = members.clone();
        body["device_code"] = json!("d");
        body["user_code"] = user_code.clone();
        let fault = Fault::status(200, body.to_string());
        gateway.machine.issuer.fault(Endpoint::UserCode, fault, 1);
        let output = gateway.command("get --wait 1s --error-format json").output().unwrap();
        let error = told(&output);
        assert_eq!(error["kind"], "login_pending", "{body}: {error}");
        let expected = match expected.strip_prefix('/') {
            Some(path) => format!("{}/{path}", gateway.machine.issuer.url()),
            None => expected.to_owned(),
        };
        assert_eq!(error["verification_uri"], expected, "{body}");
        let code = user_code.as_str().map_or_else(|| user_code.to_string(), str::to_owned);
        assert_eq!(error["user_code"], code, "{body}");
        gateway.command("login --cancel --wait 20s").assert().success();
    }
}

fn with_document(change: impl Fn(&mut Value, &str)) -> Gateway {
    let gateway = Gateway::new();
    let url = gateway.machine.issuer.url();
    let mut document = json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "revocation_endpoint": format!("{url}/revoke"),
    });
    change(&mut document, &url);
    let fault = Fault::status(200, document.to_string());
    gateway.machine.issuer.fault(Endpoint::Discovery, fault, 99);
    gateway
}

#[test]
fn optional_endpoint_that_is_empty_or_unusable_counts_as_missing() {
    for (name, value) in [
        ("revocation_endpoint", json!("")),
        ("userinfo_endpoint", json!("http://a.example/userinfo")),
        ("revocation_endpoint", json!("/revoke")),
        ("userinfo_endpoint", json!(7)),
        ("jwks_uri", json!(null)),
    ] {
        with_document(|document, _| document[name] = value.clone()).sign_in();
    }
}

#[test]
fn endpoint_in_the_profile_makes_the_bad_one_of_the_document_irrelevant() {
    let gateway = with_document(|document, _| document["token_endpoint"] = json!("not a URL"));
    let output = gateway.command("login --wait 20s").assert().code(2);
    output.stderr(predicates::str::contains("token_endpoint"));
    let url = gateway.machine.issuer.url();
    gateway.configure(&format!("token_endpoint = \"{url}/token\""));
    gateway.sign_in();
}

#[test]
fn second_document_is_read_where_the_first_has_no_device_endpoint() {
    let gateway = Gateway::new();
    let url = gateway.machine.issuer.url();
    let first = json!({"issuer": url, "token_endpoint": format!("{url}/token")});
    gateway.machine.issuer.fault(Endpoint::Discovery, Fault::status(200, first.to_string()), 1);
    let login = gateway.start("login --wait 60s");
    let code = gateway.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    gateway.machine.issuer.approve(&code);
    assert!(login.wait_with_output().unwrap().status.success());
    assert!(read(&gateway.logins()[0])["id_token"].is_string(), "its keys are known, too");
}
