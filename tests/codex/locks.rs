//! Codex's locks, held by us and by other processes.

use crate::codex;
use crate::machine::{Machine, PATIENCE, eventually, lock};
use issuer::{Endpoint, Fault};
use std::time::Duration;

pub fn during_a_renewal_codex_reads_at_once_and_its_logout_waits() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(3)), 1);
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    // During our renewal.
    assert_eq!(codex::status(&machine), ("Logged in using ChatGPT".to_owned(), true));
    assert_eq!(machine.issuer.counts().in_flight, 1, "status does not wait for the renewal");
    let logout = codex::command(&machine, &["logout"]).spawn().unwrap();
    assert!(machine.issuer.wait_until(|counts| counts.revocations == 1, PATIENCE));
    assert!(machine.path("auth.json").exists(), "logout waits for the lock");
    assert!(logout.wait_with_output().unwrap().status.success());
    assert_eq!(machine.issuer.counts().in_flight, 0, "logout has waited for the renewal");
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually(|| machine.renewers().is_empty());
    // The logout also removed the renewed login.
    assert!(!machine.path("auth.json").exists());
    assert_eq!(codex::status(&machine), ("Not logged in".to_owned(), false));
}

pub fn renewal_blocked_by_auth_lock_names_the_holder() {
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
