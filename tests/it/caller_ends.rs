//! What ends around a renewal: the caller with its container, or the renewal process by a signal. No login is lost.

use crate::machine::{Machine, PATIENCE, ada, eventually, kill, send};
use issuer::{Endpoint, Fault};
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const DAY: i64 = 24 * 3600;

/// A machine whose access token is valid for hours and due for its early renewal, and whose server answers after `delay`.
fn due(delay: Duration) -> (Machine, String) {
    let machine = Machine::new();
    let tokens = machine.aged_sign_in(10 * 3600, 9 * DAY as u64);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(delay), 1);
    (machine, tokens.access_token)
}

fn stored_refresh_token(machine: &Machine) -> String {
    machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned()
}

fn assert_renewed(machine: &Machine, before: &str) {
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_ne!(machine.auth_json()["tokens"]["access_token"], before);
    assert!(machine.issuer.is_live_refresh_token(&stored_refresh_token(machine)));
}

/// Runs `script` with the environment of `machine`, after the arguments in `before`.
fn shell(machine: &Machine, before: &[&str], script: &str) -> Command {
    let template = machine.std_command("");
    let script = script.replace("codex-credential", template.get_program().to_str().unwrap());
    let words = [before, &["sh", "-c", &script]].concat();
    let mut command = Command::new(words[0]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap());
    }
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

#[test]
fn container_that_ends_after_get_keeps_the_login() {
    let (machine, before) = due(Duration::from_millis(500));
    let user: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--map-root-user"] };
    let container =
        [&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"], user].concat();
    let script = "codex-credential get --wait 30s >/dev/null; sleep 0.1";
    let status = shell(&machine, &container, script).status().unwrap();
    assert!(status.success());
    assert_renewed(&machine, &before);
}

#[test]
fn caller_gets_its_answer_before_the_early_renewal_ends_and_ends_after_it() {
    for line in ["get --format token", "token", "get"] {
        let (machine, before) = due(Duration::from_millis(500));
        let mut caller = machine.start(&format!("{line} --wait 30s"));
        let mut answer = String::new();
        caller.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
        assert!(answer.contains(&before), "{line}");
        assert!(caller.try_wait().unwrap().is_none(), "{line} ended before the renewal");
        assert!(caller.wait().unwrap().success());
        assert_renewed(&machine, &before);
    }
}

#[test]
fn exec_runs_its_command_after_the_early_renewal() {
    let (machine, before) = due(Duration::from_millis(300));
    let output = machine.command("exec --wait 30s -- sh -c true").assert().success();
    assert_eq!(output.get_output().stdout, b"");
    assert_renewed(&machine, &before);
}

#[test]
fn caller_stays_for_an_early_renewal_no_longer_than_its_wait() {
    let (machine, before) = due(Duration::from_secs(20));
    let output = machine.command("get --format token --wait 1s").assert().success();
    assert_eq!(output.get_output().stdout, format!("{before}\n").as_bytes());
    assert_eq!(machine.issuer.counts().in_flight, 1);
}

/// Starts a renewal whose refresh token is spent and whose answer is on its way. Returns the caller and the process.
fn in_flight(machine: &Machine) -> (Child, u32) {
    let caller = machine.start_with_default_signals("get --wait 30s");
    let is_spent = |c: &issuer::Counts| c.in_flight == 1 && c.refreshes_granted == 1;
    assert!(machine.issuer.wait_until(is_spent, PATIENCE));
    (caller, machine.renewers()[0])
}

#[test]
fn caller_with_little_wait_leaves_an_early_renewal_to_others_until_it_is_late() {
    let machine = Machine::new();
    let before = machine.aged_sign_in(20 * 3600, 9 * DAY as u64).access_token;
    for line in ["get --format token --wait 0s", "token --wait 100ms", "token --wait 1900ms"] {
        let output = machine.command(line).assert().success();
        assert_eq!(output.get_output().stdout, format!("{before}\n").as_bytes(), "{line}");
        assert!(machine.renewers().is_empty(), "{line}");
    }
    assert_eq!(machine.issuer.counts().refreshes, 0);
    machine.command("get --wait 30s").assert().success();
    assert_renewed(&machine, &before);

    let before = machine.aged_sign_in(12 * 3600, 9 * DAY as u64).access_token;
    machine.command("token --wait 100ms").assert().success();
    eventually(|| machine.issuer.counts().refreshes == 2 && machine.renewers().is_empty());
    assert_ne!(machine.auth_json()["tokens"]["access_token"], before);
}

#[test]
fn caller_that_is_told_to_end_stays_until_the_answer_is_recorded() {
    let slow = Duration::from_millis(500);
    let expired = || {
        let (machine, tokens) = Machine::signed_in(-1);
        machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(slow), 1);
        (machine, tokens.access_token)
    };
    for signal in ["TERM", "HUP"] {
        for (machine, before) in [due(slow), expired()] {
            let (mut caller, _) = in_flight(&machine);
            send(signal, caller.id());
            // On a slow machine, the renewal may have ended before the signal came.
            let is_in_flight = machine.issuer.counts().in_flight == 1;
            let code = caller.wait().unwrap().code();
            assert!(code.is_none() || !is_in_flight, "{signal}: {code:?}");
            assert_renewed(&machine, &before);
        }
    }
}

#[test]
fn exec_that_is_told_to_end_does_not_run_its_command() {
    let (machine, before) = due(Duration::from_secs(3));
    let command = machine.path("command");
    let caller = machine.start(&format!("exec --wait 30s -- touch {}", command.display()));
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    send("TERM", caller.id());
    assert_eq!(caller.wait_with_output().unwrap().status.code(), None);
    assert_renewed(&machine, &before);
    assert!(!command.exists());
}

#[test]
fn caller_that_is_told_to_end_stays_no_longer_than_its_wait() {
    let (machine, _) = due(Duration::from_secs(20));
    let caller = machine.start("get --wait 3s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, PATIENCE));
    send("TERM", caller.id());
    assert_eq!(caller.wait_with_output().unwrap().status.code(), None);
    assert_eq!(machine.issuer.counts().in_flight, 1);
}

#[test]
fn interrupted_caller_ends_at_once() {
    let (machine, _) = due(Duration::from_secs(20));
    let (mut caller, _) = in_flight(&machine);
    send("INT", caller.id());
    assert_eq!(caller.wait().unwrap().code(), None);
    assert_eq!(machine.issuer.counts().in_flight, 1);
}

#[test]
fn signal_during_the_exchange_ends_the_renewal_process_after_it() {
    let signals = "HUP INT QUIT USR1 USR2 ALRM TERM VTALRM PROF IO PWR STKFLT XCPU XFSZ PIPE 34 64";
    let trials: Vec<_> = signals
        .split(' ')
        .map(|signal| {
            thread::spawn(move || {
                let (machine, tokens) = Machine::signed_in(-1);
                machine.issuer.fault(
                    Endpoint::Refresh,
                    Fault::DelayAfter(Duration::from_secs(1)),
                    1,
                );
                let (mut caller, process) = in_flight(&machine);
                for _ in 0..3 {
                    send(signal, process);
                }
                eventually(|| machine.renewers().is_empty());
                caller.wait().unwrap();
                assert_renewed(&machine, &tokens.access_token);
                // What the signal left undone is done by the next caller, without another request.
                machine.token();
                assert_renewed(&machine, &tokens.access_token);
            })
        })
        .collect();
    for trial in trials {
        trial.join().unwrap();
    }
}

#[test]
fn signal_to_store_during_its_exchange_ends_it_after_the_login_is_stored() {
    for signal in ["TERM", "HUP", "INT"] {
        let (machine, before) = Machine::signed_in(3600);
        let new = machine.issuer.grant(&ada(), 7200);
        machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
        let mut store = machine.std_command("store --wait 30s");
        let mut store = store.stdin(Stdio::piped()).spawn().unwrap();
        let request = format!(
            "protocol=https\nhost=chatgpt.com\npassword={}\noauth_refresh_token={}\n",
            new.access_token, new.refresh_token
        );
        store.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        let is_spent = |c: &issuer::Counts| c.in_flight == 1 && c.refreshes_granted == 1;
        assert!(machine.issuer.wait_until(is_spent, PATIENCE));
        send(signal, store.id());
        store.wait().unwrap();
        assert_renewed(&machine, &before.access_token);
        machine.token();
        assert_renewed(&machine, &before.access_token);
    }
}

#[test]
fn signal_while_the_user_has_not_approved_ends_the_process_and_keeps_the_code() {
    let machine = Machine::new();
    let mut caller = machine.start("get --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.sign_in_file("pending").exists());
    let process = machine.renewers()[0];
    send("TERM", process);
    eventually(|| !machine.renewers().contains(&process));
    machine.issuer.approve(&code);
    assert!(caller.wait().unwrap().success());
    assert_eq!(machine.issuer.counts().user_codes, 1);
}

#[test]
fn renewal_process_keeps_nothing_of_its_caller_open() {
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(20)), 1);
    let held = machine.path("held by the caller");
    fs::create_dir(machine.path("folder of the caller")).unwrap();
    let script = format!(
        "cd '{home}/folder of the caller'; exec 9>'{held}'; flock 9; exec 7>&1; ulimit -S -t 60; \
         codex-credential get --wait 500ms >/dev/null",
        home = machine.codex_home().display(),
        held = held.display()
    );
    // The pipe reaches its end although the renewal goes on.
    let output = shell(&machine, &[], &script).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let process = machine.renewers()[0];
    let free = fs::File::open(&held).unwrap();
    assert!(fs4::FileExt::try_lock(&free).is_ok(), "the caller's lock is free");
    assert_eq!(fs::read_link(format!("/proc/{process}/cwd")).unwrap().to_str(), Some("/"));
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, process.to_string());
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let cpu = limits.lines().find(|line| line.starts_with("Max cpu time")).unwrap();
    assert_eq!(cpu.matches("unlimited").count(), 2, "{cpu}");
    kill(process);
}
