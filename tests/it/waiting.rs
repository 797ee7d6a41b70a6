//! A caller waits no longer than `--wait`, and its error says what it waited for.

use crate::machine::{Machine, eventually, lock};
use issuer::{Endpoint, Fault};
use predicates::str::contains;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn caller_out_of_time_leaves_the_renewal_running() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(3)), 1);
    let output = machine.command("get --wait 500ms").assert().code(1);
    output.stderr(contains("--wait"));
    assert_eq!(machine.issuer.counts().in_flight, 1, "the caller returns before the renewal ends");
    eventually(|| machine.renewers().is_empty());
    machine.token();
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn held_lock_does_not_delay_a_valid_token() {
    let (machine, tokens) = Machine::signed_in(3600);
    let _codex = lock(&machine.path("auth.lock"));
    let _other = lock(&machine.path("auth.json.lock"));
    assert_eq!(machine.token(), tokens.access_token);
}

#[test]
fn request_without_an_end_fails_after_wait() {
    let (machine, _) = Machine::signed_in(3600);
    let mut command = machine.std_command("get --wait 300ms");
    let mut caller =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let open = caller.stdin.take();
    let output = caller.wait_with_output().unwrap();
    drop(open);
    assert_eq!(output.status.code(), Some(2));
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("/dev/null"), "{says}");
}

#[test]
fn failed_renewal_is_reported_to_all_waiting_callers_and_not_repeated() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), u32::MAX);
    let codex = lock(&machine.path("auth.lock"));
    let callers: Vec<_> = (0..16).map(|_| machine.start("get --wait 20s")).collect();
    eventually(|| callers.iter().all(|caller| waits_for_lock(caller.id())));
    drop(codex);
    for caller in callers {
        let output = caller.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

/// Returns whether the process waits for the lock: it then has a thread for the folder and one for the lock.
fn waits_for_lock(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 2)
}

#[test]
fn after_failures_requests_are_spaced_out_across_processes() {
    let (machine, _) = Machine::signed_in(-1);
    let pause = ("retry-after".to_owned(), "3000".to_owned());
    let busy = Fault::Status { code: 429, body: String::new(), headers: vec![pause] };
    machine.issuer.fault(Endpoint::Refresh, busy, u32::MAX);
    for _ in 0..5 {
        let output = machine.command("get --wait 20s --error-format json").assert().code(1);
        let error: serde_json::Value = serde_json::from_slice(&output.get_output().stderr).unwrap();
        let pause = error["retry_after"].as_u64().unwrap();
        assert!((2900..=3000).contains(&pause), "{error}");
        assert!(error["message"].as_str().unwrap().contains("429"), "{error}");
    }
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
