//! Renewal of an expired access token: one refresh request for all callers.

use crate::machine::{Machine, PATIENCE, ada, eventually, lock, token_of};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

#[test]
fn sixty_four_concurrent_callers_send_one_refresh() {
    let (machine, tokens) = Machine::signed_in(-1);
    let answers = machine.crowd(64);
    assert!(answers.iter().all(|token| *token == answers[0] && *token != tokens.access_token));
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_eq!(machine.auth_json()["tokens"]["access_token"], answers[0]);
}

#[test]
fn renewal_keeps_unknown_members_and_tokens_absent_from_the_response() {
    let (machine, tokens) = Machine::signed_in(-1);
    let mut document = machine.auth_json();
    document["agent_identity"] = json!({"deep": [1, {"x": null}]});
    document["tokens"]["login_owner_id"] = json!("owner");
    machine.write_auth_json(&document);
    machine.issuer.set(|s| s.refresh_answers_id_token = false);
    machine.token();
    let after = machine.auth_json();
    assert_eq!(after["agent_identity"], document["agent_identity"]);
    assert_eq!(after["tokens"]["login_owner_id"], "owner");
    assert_eq!(after["tokens"]["id_token"], tokens.id_token);
    assert_ne!(after["tokens"]["refresh_token"], tokens.refresh_token);
    assert_ne!(after["last_refresh"], document["last_refresh"]);
    let names =
        |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&document), "the order is preserved");
}

#[test]
fn response_without_a_refresh_token_keeps_the_old_one() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.set(|s| s.refresh_answers_refresh_token = false);
    machine.token();
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
}

#[test]
fn min_validity_is_limited_to_half_of_the_lifetime() {
    let (machine, tokens) = Machine::signed_in(3600);
    assert_eq!(machine.token(), tokens.access_token);
    machine.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(20));
    // `--min-validity` is limited to half of the token's lifetime, so the token is sufficient.
    machine.command("get --min-validity 2h").assert().success();
    assert_eq!(machine.issuer.counts().refreshes, 0);
    machine.refuse(&tokens.access_token);
    let short = machine.token();
    assert_eq!(machine.token(), short);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn token_due_for_renewal_is_answered_at_once_and_renewed_in_the_background() {
    let machine = Machine::new();
    // The token is valid for 400 of its 4000 seconds.
    let tokens = machine.aged_sign_in(400, 3600);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayBefore(Duration::from_millis(500)), 1);
    let callers: Vec<_> = (0..8).map(|_| machine.start("get --format token")).collect();
    for caller in callers {
        assert_eq!(token_of(caller), tokens.access_token);
    }
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    eventually(|| machine.renewers().is_empty());
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn network_or_server_error_keeps_the_login_and_starts_no_sign_in() {
    for (fault, kind) in [
        (Fault::status(500, "trouble"), "server"),
        (Fault::status(429, "{}"), "server"),
        (Fault::status(403, "<html>region</html>"), "server"),
        (Fault::status(400, r#"{"error":"temporarily_unavailable"}"#), "server"),
        (Fault::Redirect("https://evil.example/".into()), "server"),
        (Fault::NotJson, "server"),
        (Fault::Drop, "network"),
        (Fault::Endless, "server"),
    ] {
        let (machine, tokens) = Machine::signed_in(-1);
        let name = format!("{fault:?}");
        machine.issuer.fault(Endpoint::Refresh, fault, 1);
        let output = machine.command("get --error-format json --wait 20s").assert().code(1);
        let error: Value = serde_json::from_slice(&output.get_output().stderr).expect(&name);
        assert_eq!(error["kind"], kind, "{name}: {error}");
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token, "{name}");
        // The next call, a moment later, succeeds with the same refresh token.
        assert!(machine.issuer.is_live_access_token(&machine.token()), "{name}");
        assert_eq!(machine.issuer.counts().user_codes, 0, "{name}");
    }
}

#[test]
fn lost_response_is_reported_by_the_next_run() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::LoseReply, 1);
    machine.command("get --wait 20s").assert().code(1).stderr(contains("127.0.0.1"));
    let output = machine.command("get --wait 20s").assert().code(3);
    output.stderr(
        contains("the login is lost").and(contains("cut off")).and(contains("/codex/device")),
    );
    // The invalid refresh token is not sent again, and one device authorization is pending for all callers.
    machine.command("get --wait 1s").assert().code(3).stderr(contains("the login is lost"));
    let counts = machine.issuer.counts();
    assert_eq!((counts.refreshes, counts.user_codes), (2, 1));
    assert_eq!(machine.issuer.resent_after_answer(), 0);
}

#[test]
fn rejected_refresh_token_is_sent_once_and_starts_a_sign_in() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    let before = machine.auth_json();
    let caller = machine.start("get --format token --wait 60s");
    machine.approve_next();
    token_of(caller);
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
    // It is not sent either after a copy of the old file is restored.
    eventually(|| machine.renewers().is_empty());
    machine.write_auth_json(&before);
    machine.command("get --interactive never").assert().code(3);
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
}

#[test]
fn login_stored_by_another_program_before_the_request_is_used() {
    let (machine, old) = Machine::signed_in(-1);
    let codex = lock(&machine.path("auth.lock"));
    let caller = machine.start("get --format token --wait 60s");
    eventually(|| !machine.renewers().is_empty());
    // Codex stores its new tokens under the lock.
    let new = machine.sign_in(3600);
    drop(codex);
    assert_eq!(token_of(caller), new.access_token);
    assert_eq!(machine.issuer.times_sent(&old.refresh_token), 0);
}

#[test]
fn reused_refresh_token_waits_for_the_login_of_the_other_program() {
    let (machine, _) = Machine::signed_in(-1);
    let reused = Fault::status(401, r#"{"error":{"code":"refresh_token_reused"}}"#);
    machine.issuer.fault(Endpoint::Refresh, reused, 1);
    let caller = machine.start("get --format token --wait 60s");
    assert!(machine.issuer.wait_until(|c| c.refreshes == 1 && c.in_flight == 0, PATIENCE));
    // The lock is free during the wait, so that the other program can store its login.
    let codex = lock(&machine.path("auth.lock"));
    let new = machine.sign_in(3600);
    drop(codex);
    assert_eq!(token_of(caller), new.access_token);
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn failed_renewal_prints_a_token_that_expires_soon() {
    let machine = Machine::new();
    let tokens = machine.aged_sign_in(100, 3600);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), u32::MAX);
    let output = machine.command("get --format token --wait 20s").assert().success();
    output.stdout(format!("{}\n", tokens.access_token)).stderr(contains("expires soon"));
}

#[test]
fn unwritable_journal_is_an_error_before_the_request() {
    let (machine, tokens) = Machine::signed_in(-1);
    fs::create_dir_all(machine.own("journal")).unwrap();
    let output = machine.command("get --wait 20s").assert().code(1);
    output.stderr(contains(machine.own("journal").to_str().unwrap()));
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 0);
}

#[test]
fn login_renews_at_the_issuer_that_granted_it() {
    let (machine, _) = Machine::signed_in(-1);
    let mut document = machine.auth_json();
    let other_issuer = issuer::Issuer::start();
    let granted = other_issuer.grant(&ada(), -1);
    document["tokens"]["refresh_token"] = json!(granted.refresh_token);
    document["tokens"]["oauth_provenance"] =
        json!({"issuer": other_issuer.url(), "client_id": issuer::CLIENT_ID});
    machine.write_auth_json(&document);
    assert!(other_issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().refreshes, 0);
    document["tokens"]["oauth_provenance"]["issuer"] = json!("http://auth.example");
    machine.write_auth_json(&document);
    machine.command("get").assert().code(2).stderr(contains("https"));
}

#[test]
fn refresh_url_override_of_codex_is_used() {
    let (machine, _) = Machine::signed_in(-1);
    let mut command = machine.command("get --format token --wait 20s");
    command.env("CODEX_CREDENTIAL_ISSUER", "http://127.0.0.1:1");
    let url = format!("{}/oauth/token", machine.issuer.url());
    command.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", url).assert().success();
    assert_eq!(machine.issuer.counts().refreshes_granted, 1);
}

#[test]
fn requests_name_the_program_and_version_as_user_agent() {
    let (machine, _) = Machine::signed_in(-1);
    machine.token();
    let log = machine.issuer.log();
    let agent = log[0].user_agent.as_deref().unwrap();
    assert_eq!(agent, concat!("codex-credential/", env!("CARGO_PKG_VERSION")));
    assert_eq!(log[0].grant_type.as_deref(), Some("refresh_token"));
}

#[test]
fn unreadable_login_at_commit_keeps_the_response_for_the_next_run() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(500)), 1);
    let caller = machine.start("get --wait 20s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    // Another program truncates the file.
    let content = fs::read(machine.path("auth.json")).unwrap();
    fs::write(machine.path("auth.json"), "").unwrap();
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(3));
    fs::write(machine.path("auth.json"), content).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn lost_response_is_reported_after_another_failure() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::LoseReply, 1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(429, "{}"), 1);
    machine.command("get --wait 20s").assert().code(1).stderr(contains("127.0.0.1"));
    machine.command("get --wait 20s").assert().code(1).stderr(contains("429"));
    // The back-off after a second failure is longer than a caller sleeps, so repeat the call.
    eventually(|| {
        let output = machine.command("get --wait 20s").output().unwrap();
        String::from_utf8(output.stderr).unwrap().contains("cut off")
    });
}

#[test]
fn configured_issuer_gets_no_token_of_another_issuer() {
    let (machine, tokens) = Machine::signed_in(-1);
    let wrong = issuer::Issuer::start();
    let mut command = machine.command("get --format token --wait 20s");
    let output = command.env("CODEX_CREDENTIAL_ISSUER", wrong.url()).assert().code(2);
    output.stderr(contains(machine.issuer.url()));
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 0);
    assert_eq!(wrong.counts(), issuer::Counts::default());
}

#[test]
fn two_homes_with_a_link_to_one_login_share_one_lock() {
    let (machine, _) = Machine::signed_in(-1);
    let other = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(machine.path("auth.json"), other.path().join("auth.json")).unwrap();
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(500)), 1);
    let mut callers = Vec::new();
    for home in [machine.codex_home(), other.path()] {
        for _ in 0..8 {
            let mut command = machine.std_command("get --format token --wait 60s");
            command.env("CODEX_HOME", home).stdout(std::process::Stdio::piped());
            callers.push(command.spawn().unwrap());
        }
    }
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn server_on_loopback_is_reached_without_the_proxy() {
    let (machine, _) = Machine::signed_in(-1);
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut command = machine.command("get --format token --wait 20s");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env(name, &url);
    }
    command.assert().success();
    assert!(proxy.accept().is_err(), "the proxy gets no connection");
}

#[test]
fn token_that_arrives_expired_is_requested_once_and_hints_at_the_clock() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.set(|s| s.access_token_lifetime = Duration::ZERO);
    let output = machine.command("get --wait 20s").assert().code(1);
    output.stderr(contains("clock"));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
