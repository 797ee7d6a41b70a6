//! `logout` ends the login at the server and here; `erase` by hand, here.

use crate::machine::{Machine, PATIENCE, Private, ada, eventually, files, send, told};
use issuer::{Account, Endpoint, Fault, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use std::time::Duration;

#[test]
fn logout_revokes_then_removes_and_says_so() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("logout").assert().success();
    let host = machine.issuer.url().replace("http://", "");
    output.stderr(contains("ada@example.com").and(contains("Codex")).and(contains(host)));
    assert!(!machine.path("auth.json").exists());
    assert!(!machine.issuer.is_live_refresh_token(&tokens.refresh_token));
    assert!(!machine.issuer.is_live_access_token(&tokens.access_token));
    machine.command("logout").assert().success();
}

#[test]
fn logout_with_an_unreachable_server_removes_the_login_and_reports_it() {
    let (machine, _) = Machine::signed_in(3600);
    machine.issuer.fault(Endpoint::Revoke, Fault::Drop, u32::MAX);
    let output = machine.command("logout").assert().code(1);
    output.stderr(contains("127.0.0.1").and(contains("hint: ")).and(contains("security settings")));
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn erase_by_hand_leaves_the_login_at_the_server_unless_asked() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("erase --yes").assert().success();
    output.stderr(contains("logout"));
    assert!(machine.issuer.is_live_refresh_token(&tokens.refresh_token));
    let tokens = machine.sign_in(3600);
    machine.command("erase --yes --revoke").assert().success();
    assert!(!machine.issuer.is_live_refresh_token(&tokens.refresh_token));
}

#[test]
fn logout_cancels_a_pending_sign_in() {
    let (machine, _) = Machine::signed_in(3600);
    let login = machine.start("login --wait 60s --error-format json");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.sign_in_file("pending").exists());
    machine.command("logout").assert().success();
    machine.issuer.approve(&code);
    let output = login.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(told(&output)["kind"], "login_cancelled");
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn logout_during_a_renewal_removes_the_renewed_login() {
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

#[test]
fn logout_of_one_account_leaves_the_sign_in_and_the_login_of_another_alone() {
    let private = Private::new("file");
    let machine = &private.machine;
    let grace = Issuer::accounts()[2].clone();
    private.sign_in(&ada(), "--account ada@example.com --wait 60s");
    private.sign_in(&grace, &format!("--account {} --wait 60s", grace.email));
    let carol = &Account {
        email: "carol@example.com".into(),
        account_id: "carol's workspace".into(),
        user_id: "user-carol".into(),
        plan: "plus".into(),
    };
    let login = machine.start(&format!("login --account {} --wait 60s", carol.email));
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let is_recorded = |path: &std::path::PathBuf| path.ends_with("pending");
    eventually(|| files(private.state.path()).iter().any(is_recorded));
    machine.command("logout --account ada@example.com").assert().success();
    let absent = machine.command("logout --account nobody@example.com").assert().success();
    absent.stderr(contains("nothing").and(contains("cancelled").not()));
    machine.issuer.approve_as(&code, carol);
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token = |account: &str| machine.command(&format!("token --account {account}")).assert();
    token(&grace.email).success();
    token(&carol.email).success();
    token("ada@example.com --interactive never").code(3);
}

#[test]
fn signal_during_the_revocation_does_not_prevent_the_removal() {
    for signal in ["INT", "TERM", "HUP"] {
        let (machine, tokens) = Machine::signed_in(3600);
        machine.issuer.fault(Endpoint::Revoke, Fault::DelayAfter(Duration::from_secs(2)), 1);
        let logout = machine.start_with_default_signals("logout --wait 20s");
        eventually(|| !machine.issuer.is_live_refresh_token(&tokens.refresh_token));
        send(signal, logout.id());
        logout.wait_with_output().unwrap();
        assert!(!machine.path("auth.json").exists(), "{signal}");
        machine.command("status").assert().code(3);
    }
}
