//! An older copy of the login is put back: its refresh token was used already and is not sent again.

use crate::machine::{Machine, PATIENCE, Private, ada, eventually, files};
use issuer::{Endpoint, Fault};
use predicates::str::contains;
use serde_json::json;
use std::fs;

/// Asserts that nothing was sent twice.
fn assert_no_reuse(machine: &Machine) {
    let counts = machine.issuer.counts();
    assert_eq!((counts.reuses, machine.issuer.resent_after_answer()), (0, 0));
}

#[test]
fn restored_login_with_an_expired_token_ends_with_words_and_without_a_request() {
    let (machine, old) = Machine::signed_in(-1);
    let copy = machine.auth_json();
    let renewed = machine.token();
    machine.write_auth_json(&copy);
    for _ in 0..3 {
        let output = machine.command("get --wait 5s").assert().code(3);
        output.stderr(contains("older copy"));
    }
    machine.command("renew").assert().code(3);
    assert_eq!(machine.issuer.times_sent(&old.refresh_token), 1);
    assert!(machine.issuer.is_live_access_token(&renewed));
    assert_no_reuse(&machine);
}

#[test]
fn restored_login_is_answered_while_its_access_token_is_valid() {
    let machine = Machine::new();
    let old = machine.aged_sign_in(10 * 3600, 9 * 24 * 3600);
    let copy = machine.auth_json();
    machine.command("get --wait 20s").assert().success();
    assert_ne!(machine.auth_json(), copy);
    machine.write_auth_json(&copy);
    for _ in 0..3 {
        assert_eq!(machine.token(), old.access_token);
    }
    eventually(|| machine.renewers().is_empty());
    assert_eq!(machine.auth_json(), copy);
    assert_no_reuse(&machine);
}

#[test]
fn every_earlier_copy_is_recognized_and_the_latest_login_goes_on() {
    let (machine, _) = Machine::signed_in(3600);
    let mut copies = vec![machine.auth_json()];
    for _ in 0..4 {
        let token = machine.token();
        machine.refuse(&token);
        machine.token();
        copies.push(machine.auth_json());
    }
    let latest = copies.pop().unwrap();
    for copy in &copies {
        machine.write_auth_json(copy);
        machine.refuse(copy["tokens"]["access_token"].as_str().unwrap());
        machine.command("get --wait 5s").assert().code(3).stderr(contains("older copy"));
    }
    machine.write_auth_json(&latest);
    machine.refuse(latest["tokens"]["access_token"].as_str().unwrap());
    machine.token();
    assert_no_reuse(&machine);
}

#[test]
fn restored_file_of_our_own_storage_is_recognized() {
    let private = Private::new("file");
    private.sign_in(&ada(), "--wait 60s");
    let snapshot: Vec<_> = files(private.state.path())
        .into_iter()
        .filter(|path| path.ends_with("login"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert_eq!(snapshot.len(), 1);
    let token = private.machine.token();
    private.machine.refuse(&token);
    private.machine.token();
    fs::write(&snapshot[0].0, &snapshot[0].1).unwrap();
    clear_rejection(&private);
    private.machine.refuse(&token);
    let output = private.machine.command("get --wait 5s").assert().code(3);
    output.stderr(contains("older copy"));
    assert_no_reuse(&private.machine);
}

/// Other programs may remove our records at any time.
#[test]
fn answer_is_stored_although_the_login_directory_is_gone() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.fault(
        Endpoint::Refresh,
        Fault::DelayAfter(std::time::Duration::from_secs(1)),
        1,
    );
    let caller = machine.start("get --format token --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.refreshes_granted == 1, PATIENCE));
    fs::remove_dir_all(machine.own("")).unwrap();
    caller.wait_with_output().unwrap();
    let renewed = machine.token();
    assert!(renewed != tokens.access_token && machine.issuer.is_live_access_token(&renewed));
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
    assert_no_reuse(&machine);
}

/// The last rejection is long ago.
fn clear_rejection(private: &Private) {
    for path in files(private.state.path()).into_iter().filter(|path| path.ends_with("rejected")) {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn earlier_refresh_token_that_the_server_grants_again_is_sent_again() {
    let (machine, first) = Machine::signed_in(-1);
    let mut stored = machine.token();
    let grants = [first.refresh_token.as_str(), "another-one", first.refresh_token.as_str()];
    for refresh_token in grants {
        let new = machine.issuer.grant(&ada(), 864_000);
        let tokens = json!({
            "access_token": new.access_token, "id_token": new.id_token, "refresh_token": refresh_token,
        });
        let answer = Fault::Status { code: 200, body: tokens.to_string(), headers: Vec::new() };
        machine.issuer.fault(Endpoint::Refresh, answer, 1);
        machine.refuse(&stored);
        stored = machine.token();
        assert_eq!(stored, new.access_token);
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], refresh_token);
    }
    assert_eq!(machine.issuer.times_sent(&first.refresh_token), 2);
}
