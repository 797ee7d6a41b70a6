//! The clocks of this machine and the server differ.

use crate::gateway::{Gateway, read};
use crate::machine::{Machine, Private, eventually, files};
use issuer::{Issuer, TokenForm};
use serde_json::Value;
use std::fs;
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

/// `Date` headers of proxies, and of servers whose clock lost its battery.
const WRONG_DATES: [&str; 8] = [
    "Sat, 01 Jan 2000 00:00:00 GMT",
    "Thu, 31 Dec 2099 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "yesterday",
    "0",
    "\u{e9}",
    "",
];

#[test]
fn wrong_or_missing_date_does_not_change_the_lifetime_of_codexs_token() {
    for date in WRONG_DATES {
        let machine = Machine::with(|s| {
            s.date = Some(date.into());
            s.access_token_lifetime = Duration::from_secs(1800);
        });
        machine.sign_in(-2 * HOUR);
        let token = machine.token();
        let status = status(&machine, "");
        assert_eq!(status["clock_skew"], 0, "{date}");
        let end = jwt_claim(&token, "exp");
        assert_eq!(seconds(&status["expires_at"]), end, "{date}");
        assert!(!machine.own("skew").exists(), "{date}");
    }
}

#[test]
fn wrong_or_missing_date_does_not_change_the_lifetime_of_our_token() {
    for (date, form) in
        WRONG_DATES.into_iter().flat_map(|date| [(date, TokenForm::Jwt), (date, TokenForm::Opaque)])
    {
        let gateway = Gateway::with("", |s| {
            s.date = Some(date.into());
            s.access_token_lifetime = Duration::from_secs(1800);
            s.standard.access_tokens = form;
        });
        gateway.sign_in();
        let status = status(&gateway.machine, "--profile company");
        assert_eq!(status["clock_skew"], 0, "{date}");
        let left = seconds(&status["expires_at"]) - codex_credential::clock::now();
        assert!((1700..=1800).contains(&left), "{date} {form:?}: {left}");
    }
}

/// A server whose whole clock is years behind or ahead issues tokens that do not last longer than they say.
#[test]
fn token_of_a_server_in_another_year_lasts_no_longer_than_it_says() {
    let year = 365 * 24 * HOUR;
    for ahead in [-26 * year, 73 * year, -25 * HOUR] {
        let machine = Machine::with(|s| {
            s.clock_ahead = ahead;
            s.access_token_lifetime = Duration::from_secs(1800);
        });
        machine.sign_in(-2 * HOUR - ahead.abs());
        // A clock that is years behind is an error with a hint.
        machine.std_command("get --wait 20s").output().unwrap();
        let end = seconds(&status(&machine, "")["expires_at"]);
        assert!(end - codex_credential::clock::now() <= 1800, "{ahead}: {end}");
    }
}

/// An older renewal recorded that the clock is behind; the next one has no `Date`.
#[test]
fn skew_of_an_older_token_does_not_lengthen_a_new_one() {
    for date in ["", "Sat, 01 Jan 2000 00:00:00 GMT"] {
        let machine = Machine::with(|s| s.clock_ahead = -HOUR);
        machine.sign_in(-2 * HOUR);
        let token = machine.token();
        let skew = status(&machine, "")["clock_skew"].as_i64().unwrap();
        assert!((skew + HOUR).abs() < 60, "{skew}");
        machine.issuer.set(|s| (s.clock_ahead, s.date) = (0, Some(date.into())));
        machine.refuse(&token);
        let token = machine.token();
        let status = status(&machine, "");
        assert_eq!(status["clock_skew"], 0);
        assert_eq!(seconds(&status["expires_at"]), jwt_claim(&token, "exp"));
    }
}

fn seconds(rfc3339: &Value) -> i64 {
    rfc3339.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

fn jwt_claim(token: &str, name: &str) -> i64 {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()[name].as_i64().unwrap()
}

/// Some issuers write `iat` in milliseconds.
#[test]
fn iat_after_exp_does_not_shorten_the_lifetime() {
    let gateway = Gateway::with("", |s| {
        s.access_token_lifetime = Duration::from_secs(1800);
        s.standard.id_token_claims.insert("iat".into(), 1_900_000_000_000_i64.into());
    });
    let token = gateway.sign_in();
    assert_eq!(gateway.token(), token);
    assert_eq!(status(&gateway.machine, "--profile company")["clock_skew"], 0);
}

/// The clock of this machine was ahead during a sign-in, also of an account that is not the default one.
#[test]
fn sign_in_replaces_a_login_with_a_time_in_the_future() {
    let private = Private::new("file");
    let accounts = Issuer::accounts();
    let before = private.sign_in(&accounts[0], "");
    for file in files(private.state.path()).iter().filter(|file| file.ends_with("login")) {
        let mut login: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        login["signed_in_at"] = 4_000_000_000_i64.into();
        fs::write(file, login.to_string()).unwrap();
    }
    assert_eq!(private.machine.token(), before);
    let other = private.sign_in(&accounts[1], "");
    let again = private.sign_in(&accounts[0], "");
    assert!(again != before && again != other);
    assert_ne!(private.sign_in(&accounts[0], ""), again);
}
