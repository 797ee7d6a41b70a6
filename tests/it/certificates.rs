//! Whose certificate a server shows: a real TLS server, with a certificate authority of the test's own. No token is sent to
//! one that is not the server that was meant.

use crate::machine::{Machine, ada, told};
use issuer::{Authority, Issuer};
use serde_json::{Value, json};
use std::fs;
use std::ops::Range;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

#[expect(clippy::disallowed_methods, reason = "a certificate is made for a time")]
pub fn today() -> Range<SystemTime> {
    SystemTime::now() - DAY..SystemTime::now() + DAY
}

/// Ada is signed in, with an access token that has expired, at a server that shows such a certificate; and the file of the
/// authority that gave it.
pub fn machine(name: &str, valid: Range<SystemTime>) -> (Machine, String) {
    let authority = Authority::new();
    let issuer = Issuer::builder().certificate(authority.certificate(name, valid)).start();
    let machine = Machine::at(issuer);
    machine.sign_in(-1);
    let file = machine.path("authority.pem");
    fs::write(&file, authority.pem()).unwrap();
    (machine, file.to_str().unwrap().to_owned())
}

/// Fails before anything is sent, and leaves the login as it is.
pub fn unsent(machine: &Machine) -> Value {
    let before = machine.auth_json();
    let output = machine.command("get --error-format json --wait 20s").output().unwrap();
    let error = told(&output);
    assert_eq!(error["kind"], "network", "{error}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
    assert_eq!(machine.auth_json(), before);
    assert!(!machine.own("journal").exists(), "nothing is in doubt");
    error
}

fn says(error: &Value, message: &str, hint: &str) {
    assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
}

#[test]
fn an_unknown_authority_gets_nothing_until_it_is_named() {
    let attack = attack!(
        Servers,
        "a certificate of an authority that is unknown, or another than the named one"
    );
    let (mut machine, authority) = machine("localhost", today());
    says(&unsent(&machine), "UnknownIssuer", "CODEX_CA_CERTIFICATE");
    // Another one does not help.
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

/// As OpenSSL has it: in place of the platform's authorities, where `CODEX_CA_CERTIFICATE` is beside them.
#[test]
fn ssl_cert_file_names_the_authorities_in_place_of_the_platforms() {
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
    let attack = attack!(Servers, "a certificate of another name");
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
fn a_file_of_certificates_that_has_none_is_named() {
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
fn a_sign_in_works_over_tls_too() {
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
