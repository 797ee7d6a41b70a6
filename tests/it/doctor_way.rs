//! `doctor` on the network path to the issuer: proxy, connection, certificate, clock and server.
//! The TLS tests use a real server with a certificate authority of the test.

use crate::certificates::{self, today};
use crate::doctor::{machine, only, run_doctor, says};
use crate::machine::Machine;
use crate::proxies::{Policy, Proxy};
use issuer::{Authority, Endpoint, Fault};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

fn with_issuer(machine: &mut Machine, url: &str) -> Vec<Value> {
    machine.set("CODEX_CREDENTIAL_ISSUER", url);
    let (checks, is_ok) = run_doctor(machine);
    assert!(!is_ok, "{checks:?}");
    checks
}

#[test]
fn unknown_host_and_closed_port_are_reported_with_the_cause() {
    let mut machine = machine(864_000);
    let checks = with_issuer(&mut machine, "https://issuer.invalid");
    says(&only(&checks, "https", "failure"), "no answer from issuer.invalid: failed to lookup");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let checks = with_issuer(&mut machine, &format!("http://127.0.0.1:{port}"));
    says(&only(&checks, "https", "failure"), "Connection refused");
}

#[test]
fn proxy_is_checked_and_named_without_its_password() {
    let attack = attack!(Secrets, "the password of a proxy, in `doctor`");
    let mut machine = machine(864_000);
    machine.set("https_proxy", "http://ada:hidden@proxy.invalid:3128");
    let checks = with_issuer(&mut machine, "https://issuer.invalid");
    says(&only(&checks, "proxy", "ok"), "http://proxy.invalid:3128");
    says(&only(&checks, "https", "failure"), "no answer from the proxy proxy.invalid:3128");
    assert!(checks.iter().all(|check| !check.to_string().contains("hidden")));
    machine.set("no_proxy", "issuer.invalid");
    let checks = with_issuer(&mut machine, "https://issuer.invalid");
    says(&only(&checks, "https", "failure"), "no answer from issuer.invalid");
    attack.tries(1);
}

#[test]
fn wrong_clock_and_failing_server_are_warnings() {
    let mut machine = machine(864_000);
    machine.issuer.set(|s| s.clock_ahead = 3690);
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok);
    says(&only(&checks, "clock", "warning"), "1 h 1 min");
    machine.issuer.set(|s| s.clock_ahead = 0);
    for (status, words) in
        [(503, "has an internal problem (503)"), (403, "a bot check"), (302, "redirects")]
    {
        machine.issuer.fault(Endpoint::Discovery, Fault::status(status, "<html>"), 1);
        says(&only(&run_doctor(&machine).0, "https", "warning"), words);
    }
    let missing = machine.path("ca.pem").to_str().unwrap().to_owned();
    machine.set("CODEX_CA_CERTIFICATE", &missing);
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    only(&checks, "variables", "warning");
    says(&only(&checks, "https", "failure"), "ca.pem");
}

/// Checks that `https` is the only failure, that its check contains `words` and the hint `next`, and that no request except
/// discovery reached the server. Returns all checks.
fn fails_over_https(machine: &Machine, words: &str, next: &str) -> Vec<Value> {
    let (checks, is_ok) = run_doctor(machine);
    assert!(!is_ok, "{checks:?}");
    let check = only(&checks, "https", "failure");
    says(&check, words);
    assert!(check["next"].as_str().unwrap().contains(next), "{check}");
    let failures: Vec<_> = checks.iter().filter(|check| check["level"] == "failure").collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        checks.iter().all(|check| check["name"] != "clock"),
        "without an answer the clock cannot be checked"
    );
    let sent = issuer::Counts { discoveries: 0, ..machine.issuer.counts() };
    assert_eq!(sent, issuer::Counts::default());
    checks
}

/// Returns a machine as [`machine`] does, with a server that has a certificate for `name`, valid in this period.
fn with_certificate(
    name: &str,
    valid: std::ops::Range<std::time::SystemTime>,
) -> (Machine, String) {
    let (mut machine, authority) = certificates::machine(name, valid);
    machine.sign_in(864_000);
    let home = machine.codex_home().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    machine.set("PATH", "/nonexistent");
    (machine, authority)
}

#[test]
fn unknown_authority_fails_until_it_is_configured() {
    let (mut machine, authority) = with_certificate("localhost", today());
    let unknown = "does not trust the certificate's authority";
    fails_over_https(&machine, unknown, "CODEX_CA_CERTIFICATE");
    let other = machine.path("other.pem");
    fs::write(&other, Authority::new().pem()).unwrap();
    machine.set("CODEX_CA_CERTIFICATE", other.to_str().unwrap());
    fails_over_https(&machine, unknown, "CODEX_CA_CERTIFICATE");
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok, "{checks:?}");
    only(&checks, "https", "ok");
    only(&checks, "clock", "ok");
}

#[test]
fn certificate_for_another_name_is_reported() {
    let (mut machine, authority) = with_certificate("auth.example", today());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    fails_over_https(
        &machine,
        "the certificate is for another host",
        "check the host name, the DNS and the proxy",
    );
}

/// The check shows the time of the certificate, so that the user can compare it with the clock.
#[test]
fn certificate_outside_its_validity_is_reported_with_the_time() {
    let day = Duration::from_secs(86_400);
    let today = today();
    for (valid, words, at) in [
        (today.start - day..today.start, "expired at", today.start),
        (today.end..today.end + day, "is valid from", today.end),
    ] {
        let (mut machine, authority) = with_certificate("localhost", valid);
        machine.set("CODEX_CA_CERTIFICATE", &authority);
        let checks = fails_over_https(&machine, words, "clock");
        let check = only(&checks, "https", "failure");
        let at = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let at = codex_credential::clock::rfc3339(at.try_into().unwrap());
        says(&check, &at);
    }
}

#[test]
fn server_without_tls_is_reported() {
    let mut machine = machine(864_000);
    let plain = machine.issuer.url().replace("http://127.0.0.1", "https://localhost");
    machine.set("CODEX_CREDENTIAL_ISSUER", &plain);
    fails_over_https(&machine, "the server does not speak TLS", "http:// or https:// of the proxy");
}

#[test]
fn proxy_errors_have_different_messages() {
    let (mut machine, authority) = with_certificate("localhost", today());
    let reading = Proxy::start(Policy::Connect);
    machine.set("HTTPS_PROXY", &reading.url());
    let checks = fails_over_https(&machine, "does not trust", "behind a company's proxy");
    says(&only(&checks, "proxy", "ok"), &reading.url());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok, "{checks:?}");
    for (policy, words, next) in [
        (Policy::Refuse("403 Forbidden"), "refused to connect to localhost", "NO_PROXY"),
        (Policy::Ask("nobody"), "requires a user and a password (407)", "HTTPS_PROXY=http://USER"),
    ] {
        let proxy = Proxy::start(policy);
        machine.set("HTTPS_PROXY", &proxy.url());
        fails_over_https(&machine, words, next);
    }
}
