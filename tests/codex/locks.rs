//! Codex's locks, held by us and by others.

use crate::codex;
use crate::machine::{Machine, PATIENCE, eventually, lock};
use issuer::{Endpoint, Fault};
use std::time::Duration;

pub fn codex_reads_at_once_and_logs_out_after_a_renewal() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(3)), 1);
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    // In the middle of our renewal.
    assert_eq!(codex::status(&machine), ("Logged in using ChatGPT".to_owned(), true));
    assert_eq!(machine.issuer.counts().in_flight, 1, "status did not wait for it");
    let logout = codex::command(&machine, &["logout"]).spawn().unwrap();
    assert!(machine.issuer.wait_until(|counts| counts.revocations == 1, PATIENCE));
    assert!(machine.path("auth.json").exists(), "logout waits for the lock");
    assert!(logout.wait_with_output().unwrap().status.success());
    assert_eq!(machine.issuer.counts().in_flight, 0, "it waited for the renewal");
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually(|| machine.renewers().is_empty());
    // The login that the renewal stored is gone, too, and nobody brings it back.
    assert!(!machine.path("auth.json").exists());
    assert_eq!(codex::status(&machine), ("Not logged in".to_owned(), false));
}

pub fn a_foreign_lock_keeps_a_renewal_waiting_and_its_holder_is_named() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let tokens = machine.sign_in(3600);
    let held = lock(&machine.path("auth.lock"));
    assert_eq!(machine.token(), tokens.access_token, "a valid token is answered at once");
    machine.sign_in(-1);
    let output = machine.command("get --wait 2s").assert().code(1);
    let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    let pid = std::process::id();
    assert!(says.contains("auth.lock") && says.contains(&pid.to_string()), "{says}");
    drop(held);
    machine.token();
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
