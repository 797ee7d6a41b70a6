//! `switch`: another account comes into use, and no login is lost.

use crate::machine::{Machine, PATIENCE, Private, ada, eventually, files, lock};
use issuer::{Account, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

/// Ada is signed in to Codex; the login of Grace is parked.
fn two_accounts() -> Machine {
    let mut machine = Machine::new();
    machine.sign_in(3600);
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.approve_as(&code, &grace());
    assert!(login.wait_with_output().unwrap().status.success());
    machine.set("CODEX_CREDENTIAL_STORAGE", "");
    machine
}

fn user(machine: &Machine) -> String {
    let output = machine.command("status --json").output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["email"].as_str().unwrap().to_owned()
}

/// Returns the file of each parked login.
fn parked(machine: &Machine) -> Vec<Value> {
    let logins = files(&machine.path("state")).into_iter().filter(|path| path.ends_with("login"));
    logins.map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

fn switch(machine: &Machine, to: &Account) {
    machine.command(&format!("switch {} --wait 20s", to.email)).assert().success();
    assert_eq!(user(machine), to.email);
    let logins = parked(machine);
    assert_eq!(logins.len(), 1, "the other login, and no copy of this one");
    assert_ne!(logins[0]["account"]["email"], to.email.as_str());
    assert!(machine.issuer.is_live_access_token(&machine.token()));
}

fn assert_no_reuse(machine: &Machine) {
    let counts = machine.issuer.counts();
    assert_eq!((counts.reuses, machine.issuer.resent_after_answer()), (0, 0));
}

#[test]
fn codexs_login_and_a_parked_one_change_places_and_both_are_renewed() {
    let machine = two_accounts();
    let output = machine.command("switch").assert().success();
    output.stdout(
        "* ada@example.com (workspace ".to_owned()
            + &ada().account_id
            + ")\n  grace@example.org (workspace "
            + &grace().account_id
            + ")\n",
    );
    for _ in 0..2 {
        switch(&machine, &grace());
        let token = machine.token();
        machine.refuse(&token);
        assert_ne!(machine.token(), token);
        switch(&machine, &ada());
    }
    assert_eq!(machine.issuer.counts().refreshes, 2);
    assert_no_reuse(&machine);
}

#[test]
fn renew_renews_parked_logins_that_are_due() {
    let machine = two_accounts();
    machine.aged_sign_in(3600, 10 * 24 * 3600);
    let old = machine.auth_json()["tokens"]["refresh_token"].clone();
    // A login that is due is renewed before it is parked.
    switch(&machine, &grace());
    assert_ne!(parked(&machine)[0]["refresh_token"], old);
    assert_eq!(machine.issuer.counts().refreshes, 1);
    // Make the parked login due.
    let path =
        files(&machine.path("state")).into_iter().find(|path| path.ends_with("login")).unwrap();
    let mut login = parked(&machine).remove(0);
    let due = machine.issuer.grant(&ada(), -1);
    login["access_token"] = json!(due.access_token);
    login["refresh_token"] = json!(due.refresh_token);
    fs::write(&path, login.to_string()).unwrap();
    machine.command("renew").assert().success();
    assert_eq!(machine.issuer.counts().refreshes, 2);
    assert_ne!(parked(&machine)[0]["refresh_token"], due.refresh_token.as_str());
    switch(&machine, &ada());
    assert_no_reuse(&machine);
}

#[test]
fn copy_that_a_killed_switch_left_is_neither_renewed_nor_used() {
    let machine = two_accounts();
    let snapshot: Vec<_> = files(&machine.path("state"))
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    switch(&machine, &grace());
    // Grace's login is in both places, as after a kill before the last step.
    for (content, path) in &snapshot {
        fs::write(path, content).unwrap();
    }
    let token = machine.token();
    machine.refuse(&token);
    assert_ne!(machine.token(), token);
    machine.command("renew").assert().success();
    assert_eq!(machine.issuer.counts().refreshes, 1);
    machine.command("switch grace@example.org").assert().success();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_no_reuse(&machine);
}

#[test]
fn ended_login_is_not_put_in_place_and_is_not_sent_again() {
    let machine = two_accounts();
    let login = parked(&machine).remove(0);
    let refresh_token = login["refresh_token"].as_str().unwrap().to_owned();
    machine.issuer.expire_refresh_token(&refresh_token);
    switch(&machine, &grace());
    let token = machine.token();
    machine.refuse(&token);
    machine.command("get --interactive never --wait 20s").assert().code(3);
    switch(&machine, &ada());
    for _ in 0..2 {
        let output = machine.command("switch grace@example.org").assert().code(3);
        output.stderr(contains("the login has ended"));
        machine.command("renew").assert().success();
    }
    assert_eq!(user(&machine), "ada@example.com");
    assert_eq!(machine.issuer.times_sent(&refresh_token), 1);
}

#[test]
fn parked_session_replaces_an_ended_one_of_the_same_account() {
    let machine = two_accounts();
    switch(&machine, &grace());
    let kept = parked(&machine)[0]["refresh_token"].clone();
    let ended = machine.sign_in(-1);
    let mut login = machine.auth_json();
    login["last_refresh"] = json!("2100-01-01T00:00:00Z");
    machine.write_auth_json(&login);
    machine.issuer.expire_refresh_token(&ended.refresh_token);
    machine.command("get --interactive never --wait 20s").assert().code(3);
    machine.command("switch ada@example.com --wait 20s").assert().success();
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], kept);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
}

#[test]
fn session_that_another_codex_home_has_parked_stays() {
    let mut machine = two_accounts();
    switch(&machine, &grace());
    let kept = parked(&machine)[0]["refresh_token"].clone();
    let first = machine.codex_home().to_str().unwrap().to_owned();
    let second = machine.path("second");
    fs::create_dir(&second).unwrap();
    machine.set("CODEX_HOME", second.to_str().unwrap());
    let mut login = machine.auth_json();
    let other = machine.issuer.grant(&ada(), 3600);
    login["tokens"] = json!({
        "id_token": other.id_token, "access_token": other.access_token,
        "refresh_token": other.refresh_token, "account_id": other.account_id,
    });
    login["last_refresh"] = json!("2100-01-01T00:00:00Z");
    fs::write(second.join("auth.json"), login.to_string()).unwrap();
    machine.command("switch ada@example.com --wait 20s").assert().success();
    assert_eq!(machine.token(), other.access_token);
    machine.set("CODEX_HOME", &first);
    switch(&machine, &ada());
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], kept);
}

#[test]
fn login_that_codex_keeps_beside_a_key_or_another_token_is_parked() {
    for (name, key) in [("OPENAI_API_KEY", "sk-made-up"), ("personal_access_token", "at-made-up")] {
        let machine = two_accounts();
        let mut login = machine.auth_json();
        let tokens = login["tokens"].clone();
        login.as_object_mut().unwrap().remove("auth_mode");
        login[name] = json!(key);
        machine.write_auth_json(&login);
        switch(&machine, &grace());
        assert_eq!(parked(&machine)[0]["refresh_token"], tokens["refresh_token"], "{name}");
        assert_eq!(machine.auth_json()[name], key);
        switch(&machine, &ada());
    }
}

#[test]
fn held_lock_stops_the_switch_before_it_changes_anything() {
    let machine = two_accounts();
    for folder in [machine.own("sign-in"), machine.own("")] {
        fs::create_dir_all(&folder).unwrap();
        let _held = lock(&folder.join("lock"));
        let output = machine.command("switch grace@example.org --wait 200ms").assert().code(1);
        output.stderr(contains("nothing was switched"));
    }
    assert_eq!(user(&machine), "ada@example.com");
    switch(&machine, &grace());
}

#[test]
fn unknown_account_is_an_error_and_the_one_in_use_is_not() {
    let machine = two_accounts();
    let output = machine.command("switch mallory@example.com").assert().code(3);
    output.stderr(contains("CODEX_CREDENTIAL_STORAGE=file codex-credential login"));
    machine.command("switch ada@example.com").assert().success().stderr(contains("already"));
    assert_eq!(user(&machine), "ada@example.com");
}

#[test]
fn account_that_codexs_configuration_does_not_allow_stays_parked() {
    let machine = two_accounts();
    let workspace = ada().account_id;
    let config = format!("forced_chatgpt_workspace_id = '{workspace}'");
    fs::write(machine.path("config.toml"), config).unwrap();
    machine.command("switch grace@example.org").assert().code(4).stderr(contains(workspace));
    assert_eq!(user(&machine), "ada@example.com");
    assert_eq!(parked(&machine).len(), 1);
}

#[test]
fn running_app_server_is_named() {
    let machine = two_accounts();
    let script = machine.path("codex");
    fs::write(&script, "#!/bin/sh\nread line\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut server = Command::new(&script);
    server.arg("app-server").env("CODEX_HOME", machine.codex_home()).stdin(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let arguments = || fs::read(format!("/proc/{}/cmdline", server.id())).unwrap();
    eventually(|| arguments().starts_with(b"/bin/sh"));
    let says = format!("codex app-server (process {}) goes on", server.id());
    machine.command("switch grace@example.org").assert().success().stderr(contains(says));
    drop(server.stdin.take());
    server.wait().unwrap();
    let output = machine.command("switch ada@example.com").assert().success();
    output.stderr(contains("app-server").not());
}

#[test]
fn default_account_of_our_own_storage_changes() {
    let private = Private::new("file");
    let of_ada = private.sign_in(&ada(), "--wait 60s");
    let of_grace = private.sign_in(&grace(), "--wait 60s");
    assert_eq!(private.machine.token(), of_grace);
    private.machine.command("switch ada@example.com").assert().success();
    assert_eq!(private.machine.token(), of_ada);
    let output = private.machine.command("switch --json").assert().success();
    let accounts: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(accounts[0]["account"]["email"], "ada@example.com");
    assert_eq!((&accounts[0]["current"], &accounts[1]["current"]), (&json!(true), &json!(false)));
    private.machine.command("switch mallory@example.com").assert().code(3);
}
