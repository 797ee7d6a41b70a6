//! Issuers other than Codex's: sign-in, renewal and revocation as the RFCs specify.

use crate::gateway::{Gateway, REQUEST, read};
use crate::machine::{OURS, PATIENCE, eventually, token_of, told};
use issuer::{Endpoint, Fault, Interval, TokenForm};
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn login_is_used_only_for_hosts_of_its_profile() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    assert!(token.starts_with("at_") && gateway.machine.issuer.is_live_access_token(&token));
    let answer = gateway.machine.command("get").write_stdin(REQUEST).assert().success();
    answer.stdout(
        contains(format!("password={token}\n")).and(contains("username=ada@example.com\n")),
    );
    let other = gateway.machine.command("get --profile company").write_stdin(OURS).assert();
    other.success().stdout(is_empty());
    let ours = gateway.machine.command("get --interactive never").write_stdin(OURS).assert();
    ours.code(3).stdout(is_empty());
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.early_polls, counts.polls_after_success), (1, 0, 0));
}

#[test]
fn concurrent_callers_with_an_expired_token_refresh_once() {
    for rotation in [true, false] {
        let gateway = Gateway::with("", |s| {
            s.access_token_lifetime = Duration::from_secs(6);
            s.rotation = rotation;
        });
        let issuer = &gateway.machine.issuer;
        let old = gateway.sign_in();
        issuer.set(|s| s.access_token_lifetime = Duration::from_secs(3600));
        eventually(|| !issuer.is_live_access_token(&old));
        let callers: Vec<_> =
            (0..32).map(|_| gateway.start("get --format token --wait 60s")).collect();
        let mut tokens: Vec<String> = callers.into_iter().map(token_of).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
        assert_ne!(tokens[0], old);
        let counts = issuer.counts();
        assert_eq!((counts.refreshes, counts.reuses, counts.user_codes), (1, 0, 1), "{rotation}");
        // Without rotation, the refresh token stays valid.
        gateway.erase(&tokens[0]);
        assert_ne!(gateway.token(), tokens[0]);
        assert_eq!((issuer.counts().refreshes, issuer.resent_after_answer()), (2, 0));
    }
}

#[test]
fn tokens_of_any_form_are_accepted() {
    type Change = fn(&mut issuer::Standard);
    let forms: [(Change, Option<i64>); 3] = [
        (|s| s.access_tokens = TokenForm::Jwt, Some(3600)),
        (|s| s.answers_expires_in = false, None),
        (|s| s.token_type = "BEARER".into(), Some(3600)),
    ];
    for (change, lifetime) in forms {
        let gateway = Gateway::with("", |s| {
            s.access_token_lifetime = Duration::from_secs(3600);
            change(&mut s.standard);
        });
        gateway.sign_in();
        let answer = gateway.command("get --format json").assert().success();
        let answer: Value = serde_json::from_slice(&answer.get_output().stdout).unwrap();
        let expires_in = answer["expires_in"].as_i64();
        match lifetime {
            Some(all) => {
                assert!(
                    expires_in.is_some_and(|left| (all - 60..=all).contains(&left)),
                    "{expires_in:?}"
                );
            }
            None => assert_eq!(expires_in, None, "valid until it is rejected"),
        }
        assert_eq!(answer["email"], "ada@example.com");
    }
}

#[test]
fn slow_down_lengthens_the_interval_which_defaults_to_five_seconds() {
    let gateway = Gateway::with("", |s| {
        s.interval = Interval::Number(1);
        s.standard.slow_down = 1;
    });
    let caller = gateway.start("get --format token --wait 60s");
    let code = gateway.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    // Poll 2 comes six seconds after poll 1 and is pending; poll 3 succeeds.
    let polls = || -> Vec<u64> {
        let log = gateway.machine.issuer.log();
        let is_poll = |grant: &str| grant.ends_with("device_code");
        let polls = log.iter().filter(|entry| entry.grant_type.as_deref().is_some_and(is_poll));
        polls.map(|entry| entry.at).collect()
    };
    // The log contains only polls that were answered.
    eventually(|| polls().len() == 2);
    gateway.machine.issuer.approve(&code);
    token_of(caller);
    let polls = polls();
    assert_eq!(polls.len(), 3);
    assert!(polls.windows(2).all(|pair| pair[1] - pair[0] >= 5500), "{polls:?}");
    assert_eq!(gateway.machine.issuer.counts().early_polls, 0);

    let gateway = Gateway::with("", |s| s.interval = Interval::Absent);
    let mut caller = gateway.start("get --wait 60s");
    let pending = || {
        let files = crate::machine::files(&gateway.state());
        files.into_iter().find(|file| file.ends_with("pending"))
    };
    eventually(|| pending().is_some());
    assert_eq!(read(&pending().unwrap())["request"]["device_code"]["interval"], 5);
    caller.kill().unwrap();
    caller.wait().unwrap();
}

#[test]
fn complete_verification_url_is_shown_beside_the_code() {
    let gateway = Gateway::new();
    let login = gateway.start("login --wait 60s");
    let code = gateway.machine.approve_next();
    let output = login.wait_with_output().unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    let page = format!("{}/codex/device", gateway.machine.issuer.url());
    let complete = format!("\n{page}?user_code={code}\n");
    assert!(says.contains(&format!("\n{page}\n")) && says.contains(&complete), "{says}");
    assert!(says.contains(&format!("\n{code}\n")), "{says}");
}

#[test]
fn denied_and_expired_device_codes_have_different_errors() {
    let gateway = Gateway::new();
    let caller = gateway.start("get --wait 60s --error-format json");
    let code = gateway.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    gateway.machine.issuer.deny(&code);
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(told(&output)["kind"], "denied");

    gateway.machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(2));
    let output = gateway.command("get --wait 60s --error-format json").output().unwrap();
    assert_eq!(told(&output)["kind"], "login_expired");
    assert!(gateway.logins().is_empty());
}

#[test]
fn polling_survives_server_errors_and_backs_off() {
    let gateway = Gateway::new();
    let issuer = &gateway.machine.issuer;
    for fault in [Fault::NotJson, Fault::status(400, ""), Fault::Drop] {
        issuer.fault(Endpoint::DeviceToken, fault, 1);
    }
    let caller = gateway.start("get --format token --wait 120s");
    gateway.machine.approve_next();
    token_of(caller);
    let counts = issuer.counts();
    assert_eq!((counts.user_codes, counts.polls, counts.early_polls), (1, 4, 0));
    let log = issuer.log();
    let polls: Vec<u64> = log.iter().filter(|e| e.path == "/token").map(|e| e.at).collect();
    let pauses: Vec<u64> = polls.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).collect();
    assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
}

#[test]
fn poll_with_a_lost_success_is_not_repeated() {
    for (fault, polls) in [(Fault::Truncate, 1), (Fault::LoseReply, 2)] {
        let gateway = Gateway::new();
        let issuer = &gateway.machine.issuer;
        issuer.fault(Endpoint::DeviceToken, fault.clone(), 1);
        let caller = gateway.start("get --wait 60s");
        gateway.machine.approve_next();
        let output = caller.wait_with_output().unwrap();
        let says = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{says}");
        assert!(says.contains("was approved"), "{says}");
        // After a lost connection the program polls once more (RFC 8628 §3.5).
        assert_eq!(issuer.counts().polls, polls, "{fault:?}");
        assert!(gateway.logins().is_empty());
    }
}

#[test]
fn killed_poll_is_reported_to_the_next_caller() {
    let gateway = Gateway::new();
    let issuer = &gateway.machine.issuer;
    issuer.fault(Endpoint::DeviceToken, Fault::DelayAfter(Duration::from_secs(60)), 1);
    let mut caller = gateway.start("get --wait 60s");
    issuer.wait_for_user_code(PATIENCE).unwrap();
    assert!(issuer.wait_until(|counts| counts.polls == 1, PATIENCE));
    caller.kill().unwrap();
    caller.wait().unwrap();
    gateway.machine.kill_renewer();
    let next = gateway.start("get --format token --interactive always --wait 60s");
    // The user gets time to read why the code is shown again.
    let is_told = |path: &PathBuf| {
        path.ends_with("pending")
            && fs::read_to_string(path).is_ok_and(|record| record.contains("was cut off"))
    };
    eventually(|| crate::machine::files(&gateway.state()).iter().any(is_told));
    gateway.machine.approve_next();
    let output = next.wait_with_output().unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && says.contains("was cut off"), "{says}");
    assert_eq!(issuer.counts().user_codes, 1);
}

#[test]
fn rejected_refresh_token_ends_the_login_and_a_server_error_does_not() {
    let gateway = Gateway::new();
    let issuer = &gateway.machine.issuer;
    let token = gateway.sign_in();
    gateway.erase(&token);
    for fault in [Fault::status(400, "<html>"), Fault::status(401, r#"{"error":"invalid_client"}"#)]
    {
        issuer.fault(Endpoint::Refresh, fault, 1);
        let code = gateway.command("get --interactive never").assert().get_output().status.code();
        assert!([Some(1), Some(2)].contains(&code), "{code:?}");
    }
    // The next refresh comes after a pause.
    eventually(|| gateway.command("get").output().unwrap().status.success());
    let renewed = gateway.token();
    assert_ne!(renewed, token);
    let refresh_token = read(&gateway.logins()[0])["refresh_token"].as_str().unwrap().to_owned();
    issuer.invalidate_refresh_token(&refresh_token);
    gateway.erase(&renewed);
    let invalid = gateway.command("get --interactive never").assert().code(3);
    invalid.stderr(contains("invalid_grant").and(contains("codex-credential login")));
    let sent = issuer.counts().refreshes;
    gateway.command("get --interactive never").assert().code(3);
    assert_eq!(issuer.counts().refreshes, sent, "an invalid refresh token is not sent again");
}

#[test]
fn logout_revokes_the_login_at_the_issuer() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let refresh_token = read(&gateway.logins()[0])["refresh_token"].as_str().unwrap().to_owned();
    gateway.command("logout").assert().success();
    assert!(!gateway.machine.issuer.is_live_access_token(&token));
    assert!(!gateway.machine.issuer.is_live_refresh_token(&refresh_token));
    assert!(gateway.logins().is_empty());
    gateway.command("status").assert().code(3);
}

#[test]
fn client_secret_is_sent_by_the_method_that_the_server_supports() {
    // These characters must be escaped in a form.
    let secret = "s:e%c r+et&ü";
    for in_body in [false, true] {
        let gateway = Gateway::with("client_secret_file = \"secret\"", |s| {
            s.standard.client_secret = Some(secret.into());
            s.standard.secret_in_body = in_body;
        });
        let file = gateway.config().with_file_name("secret");
        fs::write(&file, format!("{secret}\n")).unwrap();
        let token = gateway.sign_in();
        gateway.erase(&token);
        assert_ne!(gateway.token(), token);
        gateway.command("logout").assert().success();
        fs::write(&file, "wrong").unwrap();
        let refused = gateway.command("get").assert().code(2);
        refused.stderr(
            contains("invalid_client")
                .and(contains("client_secret_file"))
                .and(contains("wrong\n").not()),
        );
        fs::write(&file, "").unwrap();
        gateway.command("get").assert().code(2).stderr(contains(file.to_str().unwrap()));
        fs::remove_file(&file).unwrap();
        gateway.command("get").assert().code(2).stderr(contains(file.to_str().unwrap()));
    }
}

#[test]
fn client_without_device_codes_gets_a_hint() {
    let gateway = Gateway::with("", |s| s.device_login = false);
    let refused = gateway.command("get").assert().code(4);
    refused.stderr(contains("administrator"));
    let gateway = Gateway::with("", |s| {
        s.standard.not_discovered = vec!["device_authorization_endpoint".into()];
    });
    let refused = gateway.command("get").assert().code(4);
    refused.stderr(contains("device_authorization_endpoint"));
    gateway.machine.issuer.set(|s| s.standard.not_discovered.clear());
    gateway.write_config(
        &fs::read_to_string(gateway.config()).unwrap().replace("openid", "forbidden"),
    );
    // A login with a different scope is a different login.
    gateway.command("get").assert().code(2).stderr(contains("invalid_scope"));
}

#[test]
fn two_homes_with_one_storage_share_one_lock() {
    let gateway = Gateway::new();
    let other = tempfile::tempdir().unwrap();
    let config = gateway.config();
    let first = gateway.start("get --format token --wait 60s");
    let mut second = gateway.machine.std_command("get --format token --wait 60s --profile company");
    second.env("HOME", other.path()).env_remove("XDG_CONFIG_HOME");
    second.env("CODEX_HOME", other.path()).env("CODEX_CREDENTIAL_CONFIG", &config);
    let second = second.stdout(std::process::Stdio::piped()).spawn().unwrap();
    gateway.machine.approve_next();
    assert_eq!(token_of(first), token_of(second));
    assert_eq!(gateway.machine.issuer.counts().user_codes, 1);
}
