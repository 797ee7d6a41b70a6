//! A sign-in that is cancelled while one of its requests is under way: nothing is stored, and what was granted is revoked.

use crate::gateway::Gateway;
use crate::machine::{Machine, PATIENCE, eventually, told};
use issuer::{Counts, Endpoint, Fault};
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(700);

/// Asserts that every refresh token that the server has granted is revoked.
fn assert_all_revoked(machine: &Machine) {
    assert!(machine.issuer.wait_until(|c| c.revocations == 1, PATIENCE));
    eventually(|| machine.renewers().is_empty());
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn cancelled_during_the_poll_that_is_approved_stores_nothing() {
    for cancel in ["login --cancel", "logout"] {
        let machine = Machine::new();
        let caller = machine.start("get --wait 60s --error-format json");
        let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
        machine.issuer.fault(Endpoint::DeviceToken, Fault::DelayAfter(DELAY), 100);
        machine.issuer.approve(&code);
        assert!(machine.issuer.wait_until(|c| c.polls >= 1, PATIENCE));
        eventually(|| machine.sign_in_file("pending").exists());
        machine.command(cancel).assert().success();
        let output = caller.wait_with_output().unwrap();
        assert_eq!(told(&output)["kind"], "login_cancelled", "{cancel}");
        eventually(|| machine.renewers().is_empty());
        assert_eq!(machine.issuer.counts().exchanges, 0, "{cancel}");
        assert!(!machine.path("auth.json").exists(), "{cancel}");
    }
}

#[test]
fn cancelled_during_the_exchange_revokes_the_login() {
    let machine = Machine::new();
    let caller = machine.start("get --wait 60s --error-format json");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.fault(Endpoint::Exchange, Fault::DelayAfter(DELAY), 1);
    machine.issuer.approve(&code);
    assert!(machine.issuer.wait_until(|c| c.exchanges_granted == 1, PATIENCE));
    machine.command("login --cancel").assert().success();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(told(&output)["kind"], "login_cancelled");
    assert_all_revoked(&machine);
    assert!(!machine.sign_in_file("journal").exists());
}

#[test]
fn cancelled_during_the_poll_that_brings_tokens_revokes_them() {
    let gateway = Gateway::new();
    let machine = &gateway.machine;
    let caller = machine.start("login --profile company --wait 60s --error-format json");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.fault(Endpoint::DeviceToken, Fault::DelayAfter(DELAY), 1);
    machine.issuer.approve(&code);
    let polls = machine.issuer.counts().polls;
    assert!(machine.issuer.wait_until(|c: &Counts| c.polls > polls, PATIENCE));
    machine.command("login --cancel --profile company").assert().success();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(machine.issuer.wait_until(|c| c.revocations == 1, PATIENCE));
    machine.command("status --profile company").assert().code(3);
}

#[test]
fn cancel_without_a_pending_sign_in_says_so() {
    let machine = Machine::new();
    let caller = machine.start("get --format token --wait 60s");
    machine.approve_next();
    assert!(caller.wait_with_output().unwrap().status.success());
    eventually(|| machine.renewers().is_empty());
    let output = machine.command("login --cancel").assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(text.contains("no sign-in is pending"), "{text}");
    machine.token();
}
