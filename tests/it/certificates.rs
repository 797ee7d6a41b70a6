//! Server certificates: a real TLS server with a certificate authority of the test. No token is sent to a server whose
//! certificate is not valid.

use crate::machine::{Machine, ada, told};
use issuer::{Authority, Issuer};
use serde_json::{Value, json};
use std::fs;
use std::ops::Range;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

#[expect(clippy::disallowed_methods, reason = "certificates have a validity period")]
pub fn today() -> Range<SystemTime> {
    SystemTime::now() - DAY..SystemTime::now() + DAY
}

/// Starts a server with a certificate for `name`, and a machine with an expired login there. Also returns the path of
/// the certificate authority's file.
pub fn machine(name: &str, valid: Range<SystemTime>) -> (Machine, String) {
    let authority = Authority::new();
    let issuer = Issuer::builder().certificate(authority.certificate(name, valid)).start();
    let machine = Machine::at(issuer);
    machine.sign_in(-1);
    let file = machine.path("authority.pem");
    fs::write(&file, authority.pem()).unwrap();
    (machine, file.to_str().unwrap().to_owned())
}

/// Checks that `get` fails before it sends a request, and leaves the login unchanged. Returns the error.
pub fn unsent(machine: &Machine) -> Value {
    let before = machine.auth_json();
    let output = machine.command("get --error-format json --wait 20s").output().unwrap();
    let error = told(&output);
    assert_eq!(error["kind"], "network", "{error}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
    assert_eq!(machine.auth_json(), before);
    assert!(!machine.own("journal").exists(), "no request was sent");
    error
}

fn says(error: &Value, message: &str, hint: &str) {
    assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
}

#[test]
fn unknown_authority_is_refused_until_it_is_configured() {
    let attack = attack!(
        Servers,
        "a certificate of an unknown authority, or of another than the configured one"
    );
    let (mut machine, authority) = machine("localhost", today());
    says(&unsent(&machine), "UnknownIssuer", "CODEX_CA_CERTIFICATE");
    // A different authority does not help.
    let other = machine.path("other.pem");
    fs::write(&other, Authority::new().pem()).unwrap();
    machine.set("CODEX_CA_CERTIFICATE", other.to_str().unwrap());
    fs::remove_file(machine.own("failure")).unwrap();
    says(&unsent(&machine), "certificate", "CODEX_CA_CERTIFICATE");
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    fs::remove_file(machine.own("failure")).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    attack.tries(2);
}

/// `SSL_CERT_FILE` replaces the platform's authorities, as in OpenSSL. `CODEX_CA_CERTIFICATE` adds to them.
#[test]
fn ssl_cert_file_replaces_the_platforms_authorities() {
    let (mut machine, authority) = machine("localhost", today());
    machine.set("SSL_CERT_FILE", &authority);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
}

#[test]
fn both_certificate_variables_are_trusted_together() {
    let (mut machine, authority) = machine("localhost", today());
    let other = machine.path("other.pem");
    fs::write(&other, Authority::new().pem()).unwrap();
    machine.set("SSL_CERT_FILE", other.to_str().unwrap());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
}

#[test]
fn certificate_for_another_name_is_refused() {
    let attack = attack!(Servers, "a certificate for another name");
    let (mut machine, authority) = machine("auth.example", today());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    says(&unsent(&machine), "not valid for name", "another server may have answered");
    attack.tries(1);
}

#[test]
fn certificate_outside_its_validity_hints_at_the_clock() {
    let attack = attack!(Servers, "a certificate that has expired, or is not valid yet");
    let today = today();
    for (valid, words) in
        [(today.start - DAY..today.start, "expired"), (today.end..today.end + DAY, "is valid from")]
    {
        attack.again();
        let (mut machine, authority) = machine("localhost", valid);
        machine.set("CODEX_CA_CERTIFICATE", &authority);
        says(&unsent(&machine), words, "clock");
    }
}

#[test]
fn file_without_certificates_is_named_in_the_error() {
    let (mut machine, authority) = machine("localhost", today());
    let text = fs::read_to_string(&authority).unwrap();
    for content in [String::new(), "no PEM".into(), text.replace("MII", "%%%")] {
        fs::write(&authority, content).unwrap();
        machine.set("CODEX_CA_CERTIFICATE", &authority);
        let output = machine.command("get --error-format json --wait 20s").output().unwrap();
        let error = told(&output);
        assert_eq!((&error["kind"], output.status.code()), (&json!("usage"), Some(2)), "{error}");
        says(&error, &authority, "PEM");
    }
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
}

#[test]
fn sign_in_works_over_tls() {
    let (mut machine, authority) = machine("localhost", today());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    fs::remove_file(machine.path("auth.json")).unwrap();
    machine.issuer.set(|s| s.interval = issuer::Interval::Text(1));
    let caller = machine.start("get --format token --wait 60s");
    let code = machine.approve_next();
    assert!(!code.is_empty());
    let token = crate::machine::token_of(caller);
    assert!(machine.issuer.is_live_access_token(&token));
    assert_eq!(machine.auth_json()["tokens"]["account_id"], json!(ada().account_id));
}
