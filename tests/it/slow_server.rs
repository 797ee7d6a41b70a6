//! Servers that answer slowly: a caller waits no longer than it said, and the renewal process waits for the response.

use crate::machine::{Machine, eventually, told};
use crate::raw_server::RawServer;
use codex_credential::clock::Deadline;
use issuer::{Endpoint, Fault};
use std::fs;
use std::thread;
use std::time::Duration;

#[test]
fn slow_drip_does_not_exceed_the_callers_wait() {
    let attack = attack!(Servers, "a response that arrives a few bytes at a time");
    let (machine, tokens) = Machine::signed_in(-1);
    let drip = RawServer::start(|connection| {
        connection.send_head(1000);
        while connection.send(" ") {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let url = format!("{}/oauth/token", drip.url);
    let soon = Deadline::after(Duration::from_secs(8));
    let mut callers = Vec::new();
    for _ in 0..4 {
        attack.again();
        let mut command = machine.std_command("get --wait 700ms --error-format json");
        command.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", &url);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        callers.push(command.spawn().unwrap());
    }
    for caller in callers {
        assert_eq!(told(&caller.wait_with_output().unwrap())["kind"], "busy");
    }
    assert!(!soon.is_over());
    eventually(|| drip.requests() == 1);
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
}

#[test]
fn checks_of_a_server_that_drips_end_within_wait() {
    let attack = attack!(Servers, "responses to doctor and profile test that never end");
    let drip = RawServer::start(|connection| {
        connection.send_head(100_000);
        while connection.send(" ") {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let machine = Machine::new();
    let config = machine.path("work.toml");
    let profile = format!("[profiles.work]\nissuer = \"{}\"\nclient_id = \"x\"\n", drip.url);
    fs::write(&config, profile).unwrap();
    let standard = format!("profile test work --config {}", config.display());
    for line in ["profile test", &standard, "doctor"] {
        attack.again();
        let soon = Deadline::after(Duration::from_secs(8));
        let mut command = machine.command(&format!("{line} --wait 700ms"));
        let output = command.env("CODEX_CREDENTIAL_ISSUER", &drip.url).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(!soon.is_over(), "{line}");
    }
}

#[test]
fn slow_response_is_awaited() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::SlowBody(Duration::from_millis(1500)), 1);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
