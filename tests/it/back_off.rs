//! Back-off: the number of requests to a failing server depends on the elapsed time, not on the number of callers.

use crate::machine::{Machine, eventually, told};
use codex_credential::clock;
use issuer::{Endpoint, Fault};
use serde_json::{Value, json};
use std::fs;
use std::process::Child;

/// Runs `count` callers, ten at a time. All of them fail.
fn callers(machine: &Machine, line: &str, count: usize) {
    for _ in 0..count / 10 {
        let ten: Vec<Child> = (0..10).map(|_| machine.start(line)).collect();
        for caller in ten {
            assert!(!caller.wait_with_output().unwrap().status.success());
        }
    }
}

fn seconds_since(begin: jiff::Timestamp) -> f64 {
    clock::timestamp().duration_since(begin).as_secs_f64()
}

/// Returns how many requests fit into `seconds` with pauses of 1, 2, 4, 8 … s, on clocks of whole seconds.
fn most_requests(seconds: f64) -> u64 {
    let mut count = 1;
    while f64::from((1 << count) - 1 - count) <= seconds {
        count += 1;
    }
    count.try_into().unwrap()
}

#[test]
fn two_hundred_callers_at_a_failing_server_send_few_requests() {
    let attack =
        attack!(Servers, "callers at a failing server: requests only after pauses of 1, 2, 4 … s");
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(500, ""), u32::MAX);
    let begin = clock::timestamp();
    callers(&machine, "get --wait 20s", 200);
    let sent = machine.issuer.counts().refreshes;
    let most = most_requests(seconds_since(begin));
    assert!((1..=most).contains(&sent), "{sent} requests since {begin}");
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
    // A caller during a pause learns the reason and the remaining time. The first call may come after a pause and send a
    // request.
    let calls = (0..5).map(|_| told(&machine.command("get --error-format json").output().unwrap()));
    let is_delayed = |error: &Value| {
        let says = error["message"].as_str().unwrap().contains("the next try is in");
        says && error["retry_after"].as_u64().unwrap() > 0
    };
    assert!(calls.into_iter().any(|error| is_delayed(&error)));
    attack.tries(200);
}

#[test]
fn two_hundred_callers_without_a_login_send_few_requests() {
    let attack = attack!(
        Servers,
        "callers without a login at six failing servers: requests only after pauses of 1, 2, 4 … s"
    );
    for fault in [
        Fault::status(500, ""),
        Fault::status(429, "{}"),
        Fault::status(404, ""),
        Fault::status(403, "<html>"),
        Fault::status(200, "{"),
        Fault::Drop,
    ] {
        let machine = Machine::new();
        let name = format!("{fault:?}");
        machine.issuer.fault(Endpoint::UserCode, fault, u32::MAX);
        let begin = clock::timestamp();
        // One after the other: callers that wait together share one failure.
        for _ in 0..20 {
            attack.again();
            machine.command("get --wait 20s").assert().failure();
        }
        let sent = machine.issuer.log().len() as u64;
        let most = most_requests(seconds_since(begin));
        assert!((1..=most).contains(&sent), "{name}: {sent} since {begin}");
    }
}

#[test]
fn retry_after_delays_every_caller_and_is_reported() {
    let attack = attack!(Servers, "callers at three servers with `Retry-After`: one request each");
    for (code, endpoint) in
        [(429, Endpoint::Refresh), (503, Endpoint::Refresh), (429, Endpoint::UserCode)]
    {
        let machine = Machine::new();
        if endpoint == Endpoint::Refresh {
            machine.sign_in(-1);
        }
        let headers = vec![("Retry-After".into(), "600".into())];
        let body = "{}".to_owned();
        machine.issuer.fault(endpoint, Fault::Status { code, body, headers }, 1);
        let error = told(&machine.command("get --error-format json --wait 20s").output().unwrap());
        assert_eq!(error["retry_after"], 600, "{error}");
        callers(&machine, "get", 10);
        let error = told(&machine.command("get --error-format json").output().unwrap());
        let remaining = error["retry_after"].as_u64().unwrap();
        assert!((500..=600).contains(&remaining), "{error}");
        assert_eq!(machine.issuer.log().len(), 1, "{code}");
    }
    attack.tries(3 * 12);
}

/// An absurd pause must not lock users out. A value that is neither a number nor a date is ignored.
#[test]
fn retry_after_is_limited_to_an_hour() {
    for (value, most) in
        [("99999999999", 3600), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), ("soon", 1), ("-5", 1)]
    {
        let (machine, _) = Machine::signed_in(-1);
        let headers = vec![("Retry-After".into(), value.into())];
        machine.issuer.fault(
            Endpoint::Refresh,
            Fault::Status { code: 429, body: "{}".into(), headers },
            1,
        );
        machine.command("get --wait 20s").assert().code(1);
        let failure = fs::read(machine.own("failure")).unwrap();
        let failure: Value = serde_json::from_slice(&failure).unwrap();
        let pause = failure["not_before"].as_i64().unwrap() - failure["at"].as_i64().unwrap();
        assert_eq!(pause, most, "{value}");
    }
}

#[test]
fn failure_dated_in_the_future_does_not_delay_a_renewal() {
    let (machine, _) = Machine::signed_in(-1);
    fs::create_dir_all(machine.own("")).unwrap();
    let tomorrow = clock::now() + 86_400;
    let failure = json!({
        "error": {"kind": "server", "message": "trouble"}, "id": "x", "count": 9,
        "at": tomorrow, "not_before": tomorrow + 256,
    });
    fs::write(machine.own("failure"), failure.to_string()).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
}

#[test]
fn rejected_refresh_token_is_sent_once() {
    let attack = attack!(
        Servers,
        "callers with a refresh token that the server rejects, with five error codes: the token is sent once"
    );
    for code in [
        "refresh_token_reused",
        "refresh_token_expired",
        "refresh_token_invalidated",
        "invalid_grant",
        "token_expired",
    ] {
        let (machine, tokens) = Machine::signed_in(-1);
        let rejection = Fault::status(401, json!({"error": {"code": code}}).to_string());
        machine.issuer.fault(Endpoint::Refresh, rejection, u32::MAX);
        let line = "get --interactive never --wait 20s";
        machine.command(line).assert().code(3);
        callers(&machine, line, 20);
        eventually(|| machine.renewers().is_empty());
        assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1, "{code}");
        let record = fs::read_to_string(machine.own("invalid-token")).unwrap();
        assert!(!record.contains(&tokens.refresh_token), "{code}");
        // The login itself stays in `auth.json`.
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
    }
    attack.tries(5 * 21);
}
