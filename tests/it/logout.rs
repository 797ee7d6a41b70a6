//! `logout` ends the login at the server and here; `erase` by hand, here.

use crate::machine::{Machine, PATIENCE, eventually};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use std::time::Duration;

#[test]
fn logout_revokes_then_removes_and_says_so() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("logout").assert().success();
    let host = machine.issuer.url().replace("http://", "");
    output
        .stderr(
            contains("removed the login of ada@example.com")
                .and(contains("Codex is signed out, too")),
        )
        .stderr(contains(format!("{host} has ended the login")));
    assert!(!machine.path("auth.json").exists());
    assert!(!machine.issuer.is_live_refresh_token(&tokens.refresh_token));
    assert!(!machine.issuer.is_live_access_token(&tokens.access_token));
    machine.command("logout").assert().success().stderr(contains("nobody is signed in"));
}

#[test]
fn when_the_server_cannot_be_reached_the_login_goes_here_and_the_person_is_told() {
    let (machine, _) = Machine::signed_in(3600);
    machine.issuer.fault(Endpoint::Revoke, Fault::Drop, u32::MAX);
    let output = machine.command("logout").assert().code(1);
    output
        .stderr(
            contains("removed here, but not ended at the server").and(contains("no answer from")),
        )
        .stderr(contains("ChatGPT's security settings"));
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn erase_by_hand_leaves_the_login_at_the_server_unless_asked() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("erase --yes").assert().success();
    output.stderr(contains("it was not ended at the server"));
    assert!(machine.issuer.is_live_refresh_token(&tokens.refresh_token));
    let tokens = machine.sign_in(3600);
    machine.command("erase --yes --revoke").assert().success();
    assert!(!machine.issuer.is_live_refresh_token(&tokens.refresh_token));
}

#[test]
fn a_pending_device_login_does_not_bring_a_login_back_after_a_logout() {
    let (machine, _) = Machine::signed_in(3600);
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.own("pending").exists());
    machine.command("logout").assert().success();
    machine.issuer.approve(&code);
    let output = login.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the sign-in was cancelled"));
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn a_renewal_under_way_is_waited_for_and_its_login_is_the_one_that_goes() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(500)), 1);
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    machine.command("logout").assert().success();
    caller.kill().unwrap();
    caller.wait().unwrap();
    assert!(!machine.path("auth.json").exists());
    assert_eq!(machine.issuer.counts().revocations, 1);
    let revoked = machine.issuer.log().into_iter().find(|entry| entry.path == "/oauth/revoke");
    assert_eq!(revoked.unwrap().status, Some(200));
}

#[test]
fn codexs_overrides_of_the_revocation_url_are_obeyed() {
    let (machine, tokens) = Machine::signed_in(3600);
    let mut command = machine.command("logout");
    command.env("CODEX_CREDENTIAL_ISSUER", "http://127.0.0.1:1");
    let url = format!("{}/oauth/token", machine.issuer.url());
    command.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", url).assert().success();
    assert!(!machine.issuer.is_live_refresh_token(&tokens.refresh_token));
}
