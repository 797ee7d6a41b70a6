//! Another login is moved into place while one is renewed, as an account switcher does it. The renewed login is not lost.

use crate::machine::{Machine, PATIENCE, eventually, is_answered, lock, token_of};
use issuer::{Account, Endpoint, Fault, Issuer, Tokens};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

fn switch_to_grace(machine: &Machine) -> Tokens {
    switch_to(machine, &Issuer::accounts()[2], 3600)
}

/// Writes a login of `account` to auth.json. Returns its tokens.
fn switch_to(machine: &Machine, account: &Account, lifetime: i64) -> Tokens {
    let tokens = machine.issuer.grant(account, lifetime);
    let mut document = machine.auth_json();
    document["tokens"] = json!({
        "id_token": tokens.id_token, "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
    });
    machine.write_auth_json(&document);
    tokens
}

fn audit(machine: &Machine) -> Vec<Value> {
    let output = machine.command("audit --json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Puts Ada's login back. It is answered with the token that the renewal brought, and nothing is sent.
fn put_back(machine: &Machine, ada: &Value) {
    let refreshes = machine.issuer.counts().refreshes;
    machine.write_auth_json(ada);
    let token = machine.token();
    assert!(machine.issuer.is_live_access_token(&token));
    eventually(|| machine.renewers().is_empty());
    let refresh_token = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    assert!(machine.issuer.is_live_refresh_token(&refresh_token));
    assert_eq!(machine.auth_json()["tokens"]["account_id"], ada["tokens"]["account_id"]);
    assert_eq!(machine.issuer.counts().refreshes, refreshes);
    assert!(!has_kept_answer(machine));
    assert_eq!(machine.issuer.counts().reuses, 0);
}

#[test]
fn login_replaced_during_the_request_is_kept_until_it_is_put_back() {
    let (machine, _) = Machine::signed_in(-1);
    let ada = machine.auth_json();
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
    let caller = machine.start("get --format token --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    let grace = switch_to_grace(&machine);
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.stdout, format!("{}\n", grace.access_token).as_bytes());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the login of ada@example.com was replaced"), "{said}");
    eventually(|| machine.renewers().is_empty());
    let lines = audit(&machine);
    let line = lines.iter().find(|line| line["action"] == "renewal").expect("an audit line");
    assert_eq!((&line["outcome"], &line["account"]), (&json!("busy"), &json!("ada@example.com")));
    let doctor = machine.command("doctor").output().unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("kept answer"));
    put_back(&machine, &ada);
}

#[test]
fn caller_that_names_the_account_gets_no_token_of_another() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 2);
    let by_option = machine.start("get --format token --account ada@example.com --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    let grace = switch_to_grace(&machine);
    let output = by_option.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty());
    let request = "protocol=https\nhost=chatgpt.com\nusername=ada@example.com\n";
    let output = machine.command("get").write_stdin(request).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&grace.access_token));
}

#[test]
fn login_replaced_before_the_recovery_of_its_answer_is_kept() {
    let (machine, _) = Machine::signed_in(-1);
    let ada = machine.auth_json();
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut caller = machine.start("get --wait 60s");
    eventually(|| is_answered(&machine.own("journal")));
    machine.kill_renewer();
    caller.kill().unwrap();
    caller.wait().unwrap();
    let grace = switch_to_grace(&machine);
    drop(write_lock);
    // Grace's own renewal recovers Ada's answer first.
    machine.refuse(&grace.access_token);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    eventually(|| machine.renewers().is_empty());
    put_back(&machine, &ada);
}

#[test]
fn journal_of_a_committed_renewal_does_not_bring_an_older_login_back() {
    let (machine, _) = Machine::signed_in(-1);
    let write_lock = lock(&machine.path("auth.json.lock"));
    let caller = machine.start("get --format token --wait 60s");
    eventually(|| is_answered(&machine.own("journal")));
    let journal = fs::read(machine.own("journal")).unwrap();
    drop(write_lock);
    let token = token_of(caller);
    eventually(|| machine.renewers().is_empty());
    // As if the process was killed between commit and clearing.
    fs::write(machine.own("journal"), journal).unwrap();
    let renewed = machine.auth_json();
    machine.refuse(&token);
    machine.token();
    eventually(|| machine.renewers().is_empty());
    assert!(!has_kept_answer(&machine));
    assert_ne!(machine.auth_json(), renewed);
    assert_eq!(machine.issuer.counts().reuses, 0);
}

#[test]
fn answers_of_two_accounts_are_kept_side_by_side() {
    let (machine, _) = Machine::signed_in(-1);
    let ada = machine.auth_json();
    let delay = || Fault::DelayAfter(Duration::from_secs(1));
    machine.issuer.fault(Endpoint::Refresh, delay(), 2);
    let first = machine.start("get --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    switch_to(&machine, &Issuer::accounts()[2], -1);
    let grace = machine.auth_json();
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 2, PATIENCE));
    switch_to(&machine, &Issuer::accounts()[1], 3600);
    first.wait_with_output().unwrap();
    eventually(|| machine.renewers().is_empty());
    for login in [&ada, &grace] {
        machine.write_auth_json(login);
        assert!(machine.issuer.is_live_access_token(&machine.token()));
        eventually(|| machine.renewers().is_empty());
        assert_eq!(machine.auth_json()["tokens"]["account_id"], login["tokens"]["account_id"]);
    }
    let counts = machine.issuer.counts();
    assert_eq!((counts.refreshes, counts.reuses), (2, 0));
    assert!(!has_kept_answer(&machine));
}

#[test]
fn sign_in_whose_login_is_replaced_meanwhile_is_revoked_and_reported() {
    let (machine, _) = Machine::signed_in(3600);
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.fault(Endpoint::Exchange, Fault::DelayAfter(Duration::from_secs(1)), 1);
    machine.issuer.approve(&code);
    assert!(machine.issuer.wait_until(|c| c.exchanges_granted == 1, PATIENCE));
    let grace = switch_to(&machine, &Issuer::accounts()[2], 3600);
    let output = login.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("another program has stored a login") && said.contains("revoked"),
        "{said}"
    );
    assert_eq!(machine.issuer.counts().revocations, 1);
    assert_eq!(machine.token(), grace.access_token);
}

#[test]
fn login_put_back_during_the_renewal_of_another_gets_its_kept_answer() {
    let (machine, _) = Machine::signed_in(-1);
    let ada = machine.auth_json();
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 2);
    let caller = machine.start("get --format token --interactive never --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    switch_to(&machine, &Issuer::accounts()[2], -1);
    let grace = machine.auth_json();
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 2, PATIENCE));
    fs::write(machine.path("new"), ada.to_string()).unwrap();
    fs::rename(machine.path("new"), machine.path("auth.json")).unwrap();
    assert!(machine.issuer.is_live_access_token(&token_of(caller)));
    assert_eq!(machine.auth_json()["tokens"]["account_id"], ada["tokens"]["account_id"]);
    put_back(&machine, &grace);
}

#[test]
fn kept_answer_is_used_while_the_request_of_another_login_has_no_answer() {
    let (machine, _) = Machine::signed_in(-1);
    let ada = machine.auth_json();
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
    let caller = machine.start("get --format token --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    switch_to_grace(&machine);
    caller.wait_with_output().unwrap();
    eventually(|| machine.renewers().is_empty());
    switch_to(&machine, &Issuer::accounts()[2], -1);
    let grace = machine.auth_json();
    machine.issuer.fault(Endpoint::Refresh, Fault::Drop, 1);
    machine.command("get --interactive never --wait 20s").assert().code(1);
    for (login, refreshes) in [(&ada, 2), (&grace, 3)] {
        machine.write_auth_json(login);
        assert!(machine.issuer.is_live_access_token(&machine.token()));
        eventually(|| machine.renewers().is_empty());
        let account = &machine.auth_json()["tokens"]["account_id"];
        assert_eq!(*account, login["tokens"]["account_id"]);
        assert_eq!(machine.issuer.counts().refreshes, refreshes);
    }
    assert!(!has_kept_answer(&machine));
    assert_eq!(machine.issuer.counts().reuses, 0);
}

fn has_kept_answer(machine: &Machine) -> bool {
    let names = fs::read_dir(machine.own("")).unwrap().flatten().map(|entry| entry.file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with("kept-answer"))
}
