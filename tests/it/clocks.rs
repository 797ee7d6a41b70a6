//! The clocks of this machine and the server differ.

use crate::gateway::{Gateway, read};
use crate::machine::{Machine, eventually};
use issuer::TokenForm;
use serde_json::Value;
use std::time::Duration;

const HOUR: i64 = 3600;

fn status(machine: &Machine, more: &str) -> Value {
    let mut output = machine.command(&format!("status --json {more}"));
    serde_json::from_slice(&output.unwrap().stdout).unwrap()
}

#[test]
fn expiry_of_a_jwt_is_read_by_the_servers_clock() {
    for ahead in [HOUR, -HOUR] {
        let gateway = Gateway::with("", |s| {
            s.clock_ahead = ahead;
            s.access_token_lifetime = Duration::from_secs(1800);
            s.standard.access_tokens = TokenForm::Jwt;
        });
        let token = gateway.sign_in();
        assert_eq!(gateway.token(), token, "{ahead}: it is valid for half an hour");
        assert_eq!(gateway.machine.issuer.counts().refreshes, 0, "{ahead}");
        let skew = status(&gateway.machine, "--profile company")["clock_skew"].as_i64().unwrap();
        assert!((skew - ahead).abs() < 60, "{skew}");
        let answer = gateway.command("get --format json").unwrap();
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        let left = answer["expires_in"].as_i64().unwrap();
        assert!((1700..=1800).contains(&left), "{ahead}: {left}");
        // The skew is kept after a renewal.
        gateway.erase(&token);
        let renewed = gateway.token();
        assert_eq!(gateway.token(), renewed);
        assert_eq!(gateway.machine.issuer.counts().refreshes, 1, "{ahead}");
    }
}

#[test]
fn expiry_of_an_opaque_token_is_read_by_this_machines_clock() {
    let gateway = Gateway::with("", |s| {
        s.clock_ahead = HOUR;
        s.access_token_lifetime = Duration::from_secs(3);
    });
    let token = gateway.sign_in();
    eventually(|| !gateway.machine.issuer.is_live_access_token(&token));
    assert_ne!(gateway.token(), token);
}

#[test]
fn expiry_of_codexs_login_is_read_by_the_servers_clock() {
    for ahead in [HOUR, -HOUR] {
        let machine = Machine::with(|s| {
            s.clock_ahead = ahead;
            s.access_token_lifetime = Duration::from_secs(1800);
        });
        machine.sign_in(-2 * HOUR);
        let token = machine.token();
        assert_eq!(machine.token(), token);
        assert_eq!(machine.issuer.counts().refreshes, 1, "{ahead}");
        let skew = status(&machine, "")["clock_skew"].as_i64().unwrap();
        assert!((skew - ahead).abs() < 60, "{skew}");
        // The clock is corrected.
        machine.issuer.set(|s| s.clock_ahead = 0);
        machine.refuse(&token);
        machine.token();
        assert_eq!(status(&machine, "")["clock_skew"], 0);
        assert!(!machine.own("skew").exists());
    }
}

#[test]
fn clock_difference_of_seconds_is_ignored() {
    let gateway = Gateway::with("", |s| s.clock_ahead = 5);
    gateway.sign_in();
    assert_eq!(status(&gateway.machine, "--profile company")["clock_skew"], 0);
    assert_eq!(read(&gateway.logins()[0])["skew"], 0);
}
