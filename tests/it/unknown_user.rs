//! An authorization server that does not say who signed in: the login is stored under the user's own name for the account. A
//! sign-in that cannot be completed now can be given up.

use crate::doctor::only;
use crate::gateway::{Gateway, REQUEST, read};
use crate::machine::{eventually, told};
use crate::raw_server::RawServer;
use issuer::{Endpoint, Fault};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// A userinfo endpoint that answers with `status` and `body`.
fn userinfo(status: &Arc<AtomicU16>, body: &'static str) -> RawServer {
    let status = status.clone();
    RawServer::start(move |connection| {
        let (status, length) = (status.load(Ordering::SeqCst), body.len());
        connection.send(format!("HTTP/1.1 {status} -\r\nContent-Length: {length}\r\n\r\n{body}"));
    })
}

/// A gateway whose issuer sends no ID token, with a userinfo endpoint.
fn without_id_token(userinfo: &RawServer, more: &str) -> Gateway {
    let more = format!("userinfo_endpoint = \"{}/userinfo\"\n{more}", userinfo.url);
    Gateway::with(&more, |s| s.standard.answers_id_token = false)
}

fn sign_in(gateway: &Gateway, more: &str) -> (Option<i32>, String) {
    gateway.sign_in_as(&crate::machine::ada(), more)
}

fn username(gateway: &Gateway, options: &str) -> String {
    let answer = gateway.machine.command(&format!("get {options}")).write_stdin(REQUEST).output();
    let answer = String::from_utf8(answer.unwrap().stdout).unwrap();
    let name = answer.lines().find_map(|line| line.strip_prefix("username="));
    name.unwrap_or_default().to_owned()
}

#[test]
fn unknown_user_is_called_like_the_profile() {
    for status in [400, 401, 403, 404, 405, 410] {
        let server = userinfo(&Arc::new(AtomicU16::new(status)), "not found");
        let gateway = without_id_token(&server, "");
        let (code, says) = sign_in(&gateway, "");
        assert_eq!(code, Some(0), "{status}: {says}");
        assert_eq!(username(&gateway, ""), "company", "{status}");
        let token = gateway.token();
        gateway.erase(&token);
        assert_ne!(gateway.token(), token);
        gateway.command("logout").assert().success();
        assert_eq!(gateway.machine.issuer.counts().revocations, 1);
    }
}

#[test]
fn missing_keys_make_the_user_unknown() {
    for fault in [Fault::status(404, "<html>"), Fault::status(200, r#"{"error":"none"}"#)] {
        let gateway = Gateway::new();
        gateway.machine.issuer.fault(Endpoint::Keys, fault, u32::MAX);
        let (code, says) = sign_in(&gateway, "");
        assert_eq!(code, Some(0), "{says}");
        assert_eq!(username(&gateway, ""), "company");
        assert!(read(&gateway.logins()[0])["id_token"].is_null(), "it proves nothing");
    }
}

#[test]
fn profile_test_tells_that_the_user_will_be_unknown() {
    let status = Arc::new(AtomicU16::new(401));
    let server = userinfo(&status, "");
    let gateway = without_id_token(&server, "");
    let checks = |name: &str, level: &str| {
        let found = gateway.machine.command("profile test company --json").assert().success();
        let found: Value = serde_json::from_slice(&found.get_output().stdout).unwrap();
        only(found["checks"].as_array().unwrap(), name, level)
    };
    checks("userinfo", "ok");
    checks("keys", "ok");
    for missing in [404, 410, 503] {
        status.store(missing, Ordering::SeqCst);
        let found = checks("userinfo", "warning")["found"].as_str().unwrap().to_owned();
        assert!(found.contains(&missing.to_string()), "{found}");
    }
    gateway.machine.issuer.fault(Endpoint::Keys, Fault::status(404, ""), 1);
    checks("keys", "warning");
}

#[test]
fn accounts_that_the_user_names_are_separate_logins() {
    let server = userinfo(&Arc::new(AtomicU16::new(404)), "");
    let gateway = without_id_token(&server, "");
    for name in ["bob", "carol@example.com"] {
        let (code, says) = sign_in(&gateway, &format!("--account {name}"));
        assert_eq!(code, Some(0), "{says}");
        assert!(says.contains(&format!("signed in as {name}")), "{says}");
    }
    assert_eq!(gateway.logins().len(), 2);
    let token = |name: &str| {
        let output = gateway.command(&format!("token --account {name}")).output().unwrap();
        assert!(output.status.success(), "{name}");
        output.stdout
    };
    assert_ne!(token("bob"), token("carol@example.com"));
    assert_eq!(username(&gateway, "--account bob"), "bob");
    gateway.command("logout --account bob").assert().success();
    gateway.command("token --account bob --interactive never").assert().code(3);
    token("carol@example.com");
}

#[test]
fn own_name_does_not_satisfy_the_account_of_the_profile() {
    let server = userinfo(&Arc::new(AtomicU16::new(404)), "");
    let gateway = without_id_token(&server, "");
    assert_eq!(sign_in(&gateway, "--account bob").0, Some(0));
    gateway.configure(&format!("account = \"bob\"\nuserinfo_endpoint = \"{}/\"", server.url));
    gateway.command("token --interactive never").assert().code(4);
    for options in ["", "--account bob"] {
        let (code, says) = sign_in(&gateway, options);
        assert_eq!(code, Some(4), "{says}");
    }
    assert_eq!(gateway.machine.issuer.counts().revocations, 2);
}

/// GitHub's form.
#[test]
fn id_and_login_of_a_server_without_openid_connect_name_the_user() {
    let body = r#"{"login":"octocat","id":583231,"email":null}"#;
    let gateway = without_id_token(&userinfo(&Arc::new(AtomicU16::new(200)), body), "");
    assert_eq!(sign_in(&gateway, "").0, Some(0));
    assert_eq!(username(&gateway, ""), "octocat");
    let login = read(&gateway.logins()[0]);
    assert_eq!(login["account"]["user_id"], "583231");
    gateway.command("token --account octocat").assert().success();
}

#[test]
fn sign_in_that_cannot_be_completed_now_is_completed_later() {
    let status = Arc::new(AtomicU16::new(503));
    let server = userinfo(&status, r#"{"sub":"ada"}"#);
    let gateway = without_id_token(&server, "");
    assert_eq!(sign_in(&gateway, "").0, Some(1));
    let output = gateway.command("get --error-format json").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let command = "codex-credential login --cancel --profile company";
    assert_eq!(told(&output)["command"], command);
    status.store(200, Ordering::SeqCst);
    // The next request comes after a pause.
    eventually(|| username(&gateway, "") == "ada");
    assert_eq!(gateway.machine.issuer.counts().user_codes, 1);
}

#[test]
fn sign_in_that_cannot_be_completed_is_revoked_when_the_user_gives_it_up() {
    let server = userinfo(&Arc::new(AtomicU16::new(503)), "");
    for line in ["login --cancel", "logout", "erase --yes"] {
        let gateway = without_id_token(&server, "");
        let issuer = &gateway.machine.issuer;
        assert_eq!(sign_in(&gateway, "").0, Some(1));
        let output = gateway.command(line).output().unwrap();
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && says.contains("revoked"), "{line}: {says}");
        assert_eq!(issuer.counts().revocations, 1, "{line}");
        let left = crate::machine::files(&gateway.state());
        assert!(!left.iter().any(|file| file.ends_with("journal")), "{line}: {left:?}");
        gateway.command("token --interactive never").assert().code(3);
        // A server that cannot revoke does not keep the sign-in either.
        assert_eq!(sign_in(&gateway, "").0, Some(1));
        issuer.fault(Endpoint::Revoke, Fault::Drop, u32::MAX);
        let output = gateway.command(line).output().unwrap();
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && says.contains("could not be revoked"), "{line}: {says}");
        gateway.command("token --interactive never").assert().code(3);
    }
}

#[test]
fn stored_login_can_be_removed_while_a_sign_in_cannot_be_completed() {
    let status = Arc::new(AtomicU16::new(200));
    let server = userinfo(&status, r#"{"sub":"ada"}"#);
    let gateway = without_id_token(&server, "");
    assert_eq!(sign_in(&gateway, "").0, Some(0));
    status.store(503, Ordering::SeqCst);
    assert_eq!(sign_in(&gateway, "").0, Some(1));
    gateway.command("logout").assert().success();
    assert_eq!(gateway.machine.issuer.counts().revocations, 2);
    gateway.command("token --interactive never").assert().code(3);
}
