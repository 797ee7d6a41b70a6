//! A keyring that is locked, absent, hung, or killed during a renewal.

use crate::login::private;
use crate::machine::{OURS, Private, ada, eventually, files};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::time::{Duration, Instant};

/// Commands that need the login, with their standard input.
const COMMANDS: [(&str, &str); 7] = [
    ("get --wait 2s", OURS),
    ("exec --wait 2s -- true", ""),
    ("login --wait 2s", ""),
    ("status", ""),
    ("logout --wait 2s", ""),
    ("erase --wait 2s", OURS),
    ("move --to file --wait 2s", ""),
];

/// Asserts that each command fails in time with exit code 1 and a hint, and starts no sign-in.
fn all_fail(private: &Private) {
    let before = private.machine.issuer.counts();
    for (line, input) in COMMANDS {
        let started = Instant::now();
        let output = private.machine.command(line).write_stdin(input).assert().code(1);
        // Without `--wait` the keyring is given 3 s.
        let deadline = Duration::from_secs(if line.contains("--wait") { 2 } else { 3 });
        let took = started.elapsed();
        assert!(took < deadline + Duration::from_secs(1), "{line} took {took:?}");
        output.stderr(contains("keyring").and(contains("hint: unlock the keyring")));
    }
    assert_eq!(private.machine.issuer.counts(), before);
}

fn remove_copies(private: &Private) {
    for file in files(private.runtime.path()) {
        fs::remove_file(file).unwrap();
    }
}

pub fn locked_keyring_is_an_error_and_starts_no_sign_in() {
    let (private, mut keyring) = private();
    let token = private.sign_in(&ada(), "");
    remove_copies(&private);
    keyring.lock();
    all_fail(&private);
    keyring.unlock();
    assert_eq!(private.machine.token(), token);
}

pub fn absent_keyring_is_an_error_and_starts_no_sign_in() {
    let (mut private, _keyring) = private();
    private.sign_in(&ada(), "");
    remove_copies(&private);
    private.machine.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    all_fail(&private);
}

pub fn hung_keyring_fails_within_the_wait() {
    let (private, keyring) = private();
    let token = private.sign_in(&ada(), "");
    remove_copies(&private);
    keyring.hang();
    all_fail(&private);
    keyring.wake();
    assert_eq!(private.machine.token(), token);
}

pub fn keyring_killed_during_renewal_loses_no_login() {
    let (private, mut keyring) = private();
    let machine = &private.machine;
    let token = private.sign_in(&ada(), "");
    machine.refuse(&token);
    let slow = Fault::DelayAfter(Duration::from_secs(1));
    machine.issuer.fault(Endpoint::Refresh, slow, 1);
    let caller = machine.start("get --format token --wait 20s");
    assert!(machine.issuer.wait_until(|counts| counts.refreshes == 1, Duration::from_secs(20)));
    keyring.hang();
    keyring.kill();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    eventually(|| machine.renewers().is_empty());
    keyring.unlock();
    let renewed = machine.token();
    assert_ne!(renewed, token);
    assert_eq!((machine.issuer.counts().refreshes, machine.issuer.resent_after_answer()), (1, 0));
}
