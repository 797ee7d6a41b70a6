//! Account pins: only the account or workspace that the user named may sign in.

use crate::gateway::{Gateway, read};
use crate::machine::{Machine, PATIENCE, ada};
use issuer::{Account, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

#[test]
fn sign_in_to_another_account_than_pinned_is_revoked() {
    for (table, option) in [
        ("account = \"ada@example.com\"", ""),
        ("", "--account ada@example.com"),
        ("account = \"ada\"", ""),
    ] {
        let gateway = Gateway::with(table, |_| {});
        let (code, says) = gateway.sign_in_as(&grace(), option);
        assert_eq!(code, Some(4), "{says}");
        assert!(says.contains("grace@example.org") && says.contains("ada"), "{says}");
        assert!(says.contains("private window"), "{says}");
        assert_eq!(gateway.machine.issuer.counts().revocations, 1);
        assert!(gateway.logins().is_empty());
        let files = crate::machine::files(&gateway.state());
        assert!(!files.iter().any(|file| file.ends_with("journal") || file.ends_with("pending")));
        let (code, says) = gateway.sign_in_as(&ada(), option);
        assert_eq!(code, Some(0), "{says}");
    }
}

#[test]
fn wrong_account_that_cannot_be_revoked_is_reported() {
    let gateway = Gateway::with("account = \"ada\"", |s| {
        s.standard.not_discovered = vec!["revocation_endpoint".into()];
    });
    let (code, says) = gateway.sign_in_as(&grace(), "");
    assert_eq!(code, Some(4), "{says}");
    assert!(says.contains("revocation_endpoint"), "{says}");
    assert!(gateway.logins().is_empty());
}

#[test]
fn account_pinned_later_hides_the_login_of_another_account() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.configure("account = \"grace@example.org\"");
    // The storage keeps logins by account, and has none of this account.
    gateway.command("get --interactive never").assert().code(3);
    gateway.configure("account = \"ada@example.com\"");
    assert_eq!(gateway.token(), token);
}

#[test]
fn renewal_that_returns_another_account_ends_the_login() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    gateway.machine.issuer.set(|s| s.standard.refresh_as = Some(grace()));
    gateway.erase(&token);
    let refused = gateway.command("get --interactive never").assert().code(4);
    refused.stderr(contains("grace@example.org").and(contains("ada@example.com")));
    assert_eq!(gateway.machine.issuer.counts().revocations, 1);
    assert_eq!(read(&gateway.logins()[0])["account"]["email"], "ada@example.com");
    let sent = gateway.machine.issuer.counts().refreshes;
    gateway.command("get --interactive never").assert().code(3);
    assert_eq!(gateway.machine.issuer.counts().refreshes, sent);
}

#[test]
fn pin_refuses_a_login_without_identity_and_hints_at_openid() {
    let gateway = Gateway::with("account = \"ada\"", |s| s.standard.answers_id_token = false);
    let (code, says) = gateway.sign_in_as(&ada(), "");
    assert_eq!(code, Some(4), "{says}");
    assert!(says.contains("openid"), "{says}");
    assert!(gateway.logins().is_empty());
    gateway.configure("");
    assert_eq!(gateway.sign_in_as(&ada(), "").0, Some(0), "without a pin the login is accepted");
}

#[test]
fn login_with_account_option_pins_codexs_login() {
    let machine = Machine::new();
    let sign_in = |account: &Account, more: &str| {
        let login = machine.start(&format!("login --wait 60s {more}"));
        let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
        machine.issuer.approve_as(&code, account);
        login.wait_with_output().unwrap()
    };
    assert!(sign_in(&ada(), "--account ada@example.com").status.success());
    let token = machine.token();
    let refused = sign_in(&grace(), "");
    assert_eq!(refused.status.code(), Some(4));
    let says = String::from_utf8(refused.stderr).unwrap();
    assert!(says.contains("grace@example.org") && says.contains("login --account"), "{says}");
    assert_eq!(machine.token(), token);
    // Another program signs in with another account.
    let document = machine.auth_json();
    let other = machine.issuer.grant(&grace(), 3600);
    let mut adopted = document.clone();
    adopted["tokens"]["access_token"] = other.access_token.into();
    adopted["tokens"]["id_token"] = other.id_token.into();
    adopted["tokens"]["account_id"] = other.account_id.into();
    machine.write_auth_json(&adopted);
    let output = machine.command("get").assert().code(4);
    output.stdout("").stderr(contains("grace@example.org").and(contains("ada@example.com")));
    assert_eq!(machine.auth_json(), adopted, "the login of the other program is not changed");
    // A new pin replaces the first, and a logout removes it.
    assert!(sign_in(&grace(), "--account grace@example.org").status.success());
    machine.command("get").assert().success();
    machine.command("logout").assert().success();
    assert!(sign_in(&ada(), "").status.success());
}

#[test]
fn workspace_in_the_configuration_pins_the_login() {
    let (mut machine, _) = Machine::signed_in(3600);
    let file = machine.path("our.toml");
    machine.set("CODEX_CREDENTIAL_CONFIG", file.to_str().unwrap());
    fs::write(&file, "[profiles.codex]\nworkspace = 'other'\n").unwrap();
    let output = machine.command("get").assert().code(4);
    output.stderr(contains("workspace").and(contains("config.toml")));
    fs::write(&file, format!("[profiles.codex]\nworkspace = '{}'\n", ada().account_id)).unwrap();
    machine.command("get").assert().success();
}

#[test]
fn request_for_another_account_leaves_the_login_alone() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let status = machine.command("status --account bob@example.com").assert().code(3);
    status.stdout(contains("Not logged in").and(contains("ada@example.com")));
    for line in ["logout", "erase --yes"] {
        let kept = machine.command(&format!("{line} --account bob@example.com")).assert().success();
        kept.stderr(contains("ada@example.com").and(contains("bob@example.com")));
    }
    assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens.access_token);
    machine.command("status --account ada@example.com").assert().success();
}

/// Claims of ID tokens that have Ada's address, which the issuer does not confirm.
#[test]
fn address_that_the_issuer_does_not_confirm_satisfies_no_pin() {
    use serde_json::{Value, json};
    for (claim, value) in [
        ("email_verified", json!(false)),
        ("email_verified", json!("false")),
        ("email_verified", Value::Null),
        ("email_verified", json!(1)),
        ("email", json!("eve@example.com")),
    ] {
        let gateway = Gateway::with("account = \"ada@example.com\"", |s| {
            s.standard
                .id_token_claims
                .insert("preferred_username".into(), json!("ada@example.com"));
            s.standard.id_token_claims.insert(claim.into(), value.clone());
        });
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(4), "{claim} {value}: {says}");
        assert_eq!(gateway.machine.issuer.counts().revocations, 1);
        assert!(gateway.logins().is_empty(), "{claim} {value}");
        if claim == "email_verified" {
            assert!(
                says.contains("email_verified") && says.contains(ada().user_id.as_str()),
                "{says}"
            );
        }
        // The id of the user pins the account instead.
        gateway.configure(&format!("account = \"{}\"", ada().user_id));
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(0), "{claim} {value}: {says}");
    }
}

#[test]
fn username_that_get_answers_selects_the_login_again() {
    let gateway = Gateway::with("", |s| {
        s.standard.id_token_claims.insert("email_verified".into(), false.into());
        s.standard.id_token_claims.insert("preferred_username".into(), "eve@example.com".into());
    });
    let token = gateway.sign_in();
    let answer = gateway.command("get").write_stdin(crate::gateway::REQUEST).unwrap();
    let answer = String::from_utf8(answer.stdout).unwrap();
    let username = answer.lines().find(|line| line.starts_with("username=")).unwrap();
    assert!(!username.contains('@'), "{username}");
    let request = format!("protocol=https\nhost=gateway.example\n{username}\n\n");
    let answer = gateway.command("get").write_stdin(request).assert().success();
    answer.stdout(contains(format!("password={token}")));
    let request = "protocol=https\nhost=gateway.example\nusername=ada@example.com\n\n";
    gateway.command("get --interactive never").write_stdin(request).assert().stdout("");
}
