//! A warm `get` costs two files read: no socket, lock, thread, child or event loop.

use crate::machine::{Machine, OURS};
use std::io::Write;
use std::process::{Command, Stdio};

const FORBIDDEN: [&str; 12] = [
    "socket",
    "connect",
    "epoll_create1",
    "epoll_wait",
    "eventfd2",
    "flock",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "inotify_init1",
    "rename",
];

#[test]
fn a_warm_get_makes_no_socket_lock_thread_or_child() {
    let (machine, tokens) = Machine::signed_in(864_000);
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace; apt-get install strace, then cargo test warm");
        return;
    }
    let log = machine.path("strace.log");
    let program = assert_cmd::cargo::cargo_bin!("codex-credential");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o"]).arg(&log).arg(program).args(["get"]);
    traced.env_clear().env("CODEX_HOME", machine.codex_home());
    let mut traced = traced.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    traced.stdin.take().unwrap().write_all(OURS.as_bytes()).unwrap();
    let output = traced.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(&tokens.access_token));
    let log = std::fs::read_to_string(&log).unwrap();
    let calls: Vec<_> =
        log.lines().filter_map(|line| line.split_whitespace().nth(1)?.split_once('(')).collect();
    assert!(calls.iter().any(|(name, _)| *name == "openat"), "strace saw it");
    for (name, arguments) in calls {
        assert!(!FORBIDDEN.contains(&name), "{name}({arguments}");
        assert!(
            !arguments.contains("O_WRONLY") && !arguments.contains("O_RDWR"),
            "{name}({arguments}"
        );
    }
}
