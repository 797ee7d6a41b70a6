//! The user may run no more processes (`ulimit -u`), which counts threads: a command fails with exit code 1, and never aborts.

use crate::machine::Machine;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A user without any process.
const USER: u32 = 60_020;

fn own(path: &Path) {
    chown(path, Some(USER), Some(USER)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        own(&entry.path());
    }
}

/// Runs a command as a user who may have `limit` processes and threads.
fn limited(machine: &Machine, line: &str, limit: u32) -> Output {
    own(machine.codex_home());
    let command = machine.std_command(line);
    let user = USER.to_string();
    let mut limited = Command::new("setpriv");
    limited.args(["--reuid", &user, "--regid", &user, "--clear-groups", "prlimit"]);
    limited.arg(format!("--nproc={limit}")).arg(command.get_program()).args(command.get_args());
    limited.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap());
    }
    let output = limited.stdin(Stdio::null()).output().unwrap();
    if line.starts_with("login") {
        machine.renewers().into_iter().for_each(crate::machine::kill);
    }
    // The next command starts without the processes of this one.
    crate::machine::eventually(|| processes() == 0);
    output
}

fn processes() -> usize {
    let is_own = |entry: &fs::DirEntry| {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with(&format!("Uid:\t{USER}\t")))
    };
    fs::read_dir("/proc").unwrap().flatten().filter(is_own).count()
}

fn assert_no_abort(output: &Output, what: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some(), "{what}: {}: {text}", output.status);
    assert!(!text.contains("internal error"), "{what}: {text}");
    assert!(output.status.success() || !text.is_empty() || !output.stdout.is_empty(), "{what}");
}

/// Runs a command with limits of stack or memory in KB, as `ulimit` sets them.
fn with_ulimit(machine: &Machine, line: &str, limit: &str) -> Output {
    let command = machine.std_command(line);
    let script = format!("ulimit {limit} || exit; exec \"$0\" {line}");
    let mut limited = Command::new("bash");
    limited.args(["-c", &script]).arg(command.get_program()).env_clear();
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap());
    }
    limited.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn little_stack_or_memory_is_raised_or_is_exit_code_1() {
    let lines = ["token --wait 20s", "get --error-format json --wait 20s", "status --json"];
    for limit in ["-s 64", "-s 100", "-s 256", "-s 511", "-d 2000", "-d 2600", "-d 12000"] {
        for line in lines {
            let (machine, tokens) = Machine::signed_in(-1);
            let output = with_ulimit(&machine, line, limit);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{line} with {limit}: {text}");
            assert!(text.contains("KB are needed"), "{line} with {limit}: {text}");
            assert_eq!(text.starts_with('{'), line.contains("json --wait"), "{text}");
            assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
            // The user's own limit is lower than it has to be.
            let output = with_ulimit(&machine, line, &format!("-S {limit}"));
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line} with -S {limit}: {text}");
        }
    }
}

/// All trials are in one test, because the limit counts all processes of the user.
#[test]
fn refused_thread_or_process_is_exit_code_1_and_loses_no_login() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let mut refused = 0;
    for limit in 1..=6 {
        for (lifetime, age, line) in [
            (-1, 3600, "get --format token --wait 20s"),
            (-1, 3600, "get -v --error-format json --wait 20s"),
            (36_000, 9 * 24 * 3600, "get --format token --wait 20s"),
            (-1, 3600, "renew -v"),
            (-1, 3600, "login --wait 1s"),
            (-1, 3600, "doctor"),
            (864_000, 0, "token"),
            (864_000, 0, "logout"),
        ] {
            let machine = Machine::new();
            let tokens = machine.aged_sign_in(lifetime, age);
            let output = limited(&machine, line, limit);
            let what = format!("{line} with {limit}");
            assert_no_abort(&output, &what);
            if lifetime > 0 && line != "logout" {
                assert!(output.status.success(), "{what}: a good token is answered");
            }
            let text = String::from_utf8_lossy(&output.stderr);
            if text.contains("cannot start") {
                assert!(output.status.code() == Some(1) || line == "doctor", "{what}: {text}");
                refused += 1;
            }
            // Whatever failed, the login is there or was renewed once.
            if line != "logout" && !line.starts_with("login") {
                assert!(machine.issuer.counts().refreshes <= 1, "{what}");
                machine.token();
                let stored = machine.auth_json()["tokens"]["refresh_token"].clone();
                assert!(machine.issuer.is_live_refresh_token(stored.as_str().unwrap()), "{what}");
            }
            drop(tokens);
        }
    }
    assert!(refused > 5, "{refused}");
    // A name is looked up in a thread.
    let mut machine = Machine::new();
    let by_name = machine.issuer.url().replace("127.0.0.1", "localhost");
    machine.set("CODEX_CREDENTIAL_ISSUER", &by_name);
    for limit in 1..=3 {
        let output = limited(&machine, "doctor", limit);
        assert_no_abort(&output, &format!("doctor by name with {limit}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(limit > 1 || text.contains("no answer from localhost"), "{text}");
    }
}
