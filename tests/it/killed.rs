//! SIGKILL to callers and to the renewal process, at known moments.

use crate::machine::{Machine, PATIENCE, eventually, lock, token_of, told};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Reads a login file again and again, and panics if it is ever incomplete.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Reader {
    fn of(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut reads = 0;
            while !stopped.load(Ordering::Relaxed) {
                let bytes = fs::read(&path).expect("the login exists at every moment");
                let document: serde_json::Value =
                    serde_json::from_slice(&bytes).expect("the login is complete at every moment");
                assert!(document["tokens"]["refresh_token"].is_string());
                reads += 1;
                thread::sleep(Duration::from_micros(200));
            }
            reads
        });
        Self { stop, thread: Some(thread) }
    }

    fn finish(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.thread.take().unwrap().join().unwrap() > 0);
    }
}

#[test]
fn caller_killed_during_refresh_does_not_stop_it() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(2)), 1);
    let reader = Reader::of(machine.path("auth.json"));
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually(|| machine.renewers().is_empty());
    let answer = machine.token();
    assert_ne!(answer, tokens.access_token);
    assert_eq!(answer, machine.auth_json()["tokens"]["access_token"]);
    assert_eq!(machine.issuer.counts().refreshes, 1);
    reader.finish();
}

#[test]
fn killed_renew_command_does_not_stop_the_refresh() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
    let mut caller = machine.start("renew");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually(|| machine.renewers().is_empty());
    assert_ne!(machine.auth_json()["tokens"]["access_token"], tokens.access_token);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn killed_process_group_of_the_caller_does_not_stop_the_refresh() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
    let mut command = machine.std_command("get --wait 60s");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut caller = command.spawn().unwrap();
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    let group = rustix::process::Pid::from_child(&caller);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    caller.wait().unwrap();
    eventually(|| machine.renewers().is_empty());
    machine.token();
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn renewal_process_killed_before_its_request_is_replaced() {
    let (machine, _) = Machine::signed_in(-1);
    let auth_lock = lock(&machine.path("auth.lock"));
    let callers = crowd(&machine);
    eventually(|| !machine.renewers().is_empty());
    machine.kill_renewer();
    drop(auth_lock);
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn killed_during_the_request_loses_the_login_only_if_the_token_was_rotated() {
    // The server rotated the token and its answer was lost: the next run reports it.
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
    let reader = Reader::of(machine.path("auth.json"));
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1 && c.refreshes_granted == 1, PATIENCE));
    caller.kill().unwrap();
    caller.wait().unwrap();
    machine.kill_renewer();
    let output = machine.command("get --wait 20s").assert().code(3);
    output.stderr(contains("cut off").and(contains("/codex/device")));
    assert_eq!(machine.issuer.resent_after_answer(), 0);
    reader.finish();

    // The server did not process the request: nothing is lost.
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::Endless, 1);
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|c| c.refreshes == 1, PATIENCE));
    caller.kill().unwrap();
    caller.wait().unwrap();
    if !machine.renewers().is_empty() {
        machine.kill_renewer();
    }
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn killed_during_the_request_with_64_callers_costs_one_sign_in() {
    let (machine, old) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(10)), 1);
    let reader = Reader::of(machine.path("auth.json"));
    let callers = crowd(&machine);
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1 && c.refreshes_granted == 1, PATIENCE));
    machine.kill_renewer();
    // The server has rotated the token. One waiting caller finds out, and one user code serves all.
    machine.approve_next();
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(machine.issuer.times_sent(&old.refresh_token), 2);
    assert_eq!(machine.issuer.resent_after_answer(), 0);
    assert_eq!(machine.issuer.counts().user_codes, 1);
    reader.finish();
}

#[test]
fn killed_between_answer_and_commit_with_64_callers_keeps_the_login() {
    let (machine, _) = Machine::signed_in(-1);
    let reader = Reader::of(machine.path("auth.json"));
    let write_lock = lock(&machine.path("auth.json.lock"));
    let callers = crowd(&machine);
    eventually(|| fs::read(machine.own("journal")).is_ok_and(|j| lines(&j) == 2));
    machine.kill_renewer();
    drop(write_lock);
    // The next renewal process commits the recorded answer without a request.
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert!(machine.issuer.is_live_access_token(&tokens[0]));
    assert_eq!(machine.issuer.counts().refreshes, 1);
    eventually(|| !machine.own("journal").exists());
    reader.finish();
}

#[test]
fn killed_after_a_refusal_keeps_the_refusal_recorded() {
    let (machine, _) = Machine::signed_in(-1);
    let reused = Fault::status(401, r#"{"error":{"code":"refresh_token_reused"}}"#);
    machine.issuer.fault(Endpoint::Refresh, reused, 1);
    let mut caller = machine.start("get --interactive never --wait 60s");
    eventually(|| machine.own("invalid-token").exists());
    caller.kill().unwrap();
    caller.wait().unwrap();
    machine.kill_renewer();
    let line = "get --interactive never --wait 20s --error-format json";
    assert_eq!(told(&machine.command(line).output().unwrap())["kind"], "login_dead");
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

fn crowd(machine: &Machine) -> Vec<Child> {
    (0..64).map(|_| machine.start("get --format token --wait 60s")).collect()
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count() - 1
}

#[test]
fn killed_while_polling_keeps_the_user_code() {
    let machine = Machine::new();
    let callers = crowd(&machine);
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.sign_in_file("pending").exists());
    machine.kill_renewer();
    machine.issuer.approve(&code);
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges), (1, 1));
}

#[test]
fn killed_between_exchange_and_commit_keeps_the_login() {
    let machine = Machine::new();
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut caller = machine.start("get --wait 60s");
    machine.approve_next();
    eventually(|| fs::read(machine.sign_in_file("journal")).is_ok_and(|j| lines(&j) == 2));
    caller.kill().unwrap();
    caller.wait().unwrap();
    machine.kill_renewer();
    drop(write_lock);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    eventually(|| !machine.sign_in_file("pending").exists());
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges), (1, 1));
}

#[test]
fn commit_blocked_by_a_lock_is_completed_by_the_next_run() {
    let (machine, _) = Machine::signed_in(-1);
    let write_lock = lock(&machine.path("auth.json.lock"));
    let output = machine.command("get --wait 30s").assert().code(1);
    output.stderr(contains("auth.json.lock"));
    drop(write_lock);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn renewal_removes_temporary_files_of_killed_processes() {
    let (machine, _) = Machine::signed_in(-1);
    fs::create_dir(machine.path("codex-credential")).unwrap();
    let leftovers =
        [machine.path(".codex-credential-tmp-left"), machine.own(".codex-credential-tmp-left")];
    for path in &leftovers {
        fs::write(path, "half").unwrap();
    }
    machine.token();
    eventually(|| machine.renewers().is_empty());
    assert!(!leftovers.iter().any(|path| path.exists()));
    let mut names: Vec<_> = fs::read_dir(machine.codex_home()).unwrap().flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> =
        names.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["auth.json", "auth.json.lock", "auth.lock", "codex-credential", "state"]);
}

/// A sign-in must not replace the recorded answer: without the user's approval there would be no login.
#[test]
fn recorded_answer_that_cannot_be_committed_yet_is_kept() {
    let (machine, _) = Machine::signed_in(-1);
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut caller = machine.start("get --wait 60s");
    let is_answered = || fs::read(machine.own("journal")).is_ok_and(|j| lines(&j) == 2);
    eventually(is_answered);
    caller.kill().unwrap();
    caller.wait().unwrap();
    machine.kill_renewer();
    machine.command("login --wait 60s").assert().code(1).stderr(contains("auth.json.lock"));
    assert!(is_answered());
    drop(write_lock);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    let counts = machine.issuer.counts();
    assert_eq!((counts.refreshes, counts.user_codes), (1, 0));
}

#[test]
fn recorded_answer_does_not_block_a_sign_in() {
    for content in [r#"{"OPENAI_API_KEY":"sk-made-up"}"#, "{ torn"] {
        let (machine, _) = Machine::signed_in(-1);
        let write_lock = lock(&machine.path("auth.json.lock"));
        let mut caller = machine.start("get --wait 60s");
        eventually(|| fs::read(machine.own("journal")).is_ok_and(|j| lines(&j) == 2));
        caller.kill().unwrap();
        caller.wait().unwrap();
        machine.kill_renewer();
        drop(write_lock);
        fs::write(machine.path("auth.json"), content).unwrap();
        let login = machine.start("login --wait 60s");
        machine.approve_next();
        assert!(login.wait_with_output().unwrap().status.success());
        assert!(machine.issuer.is_live_access_token(&machine.token()));
    }
}
