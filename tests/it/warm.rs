//! A warm `get` reads the login and no more: no socket, lock, write, thread, child or event loop.

use crate::machine::{Machine, OURS};
use std::fmt::Write as _;
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

/// The system calls of a `get` as (name, arguments), and its answer; `None` where they cannot be seen.
fn traced(machine: &Machine, request: &str) -> Option<(Vec<(String, String)>, String)> {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace; apt-get install strace, then cargo test warm");
        return None;
    }
    let log = machine.path("strace.log");
    let program = assert_cmd::cargo::cargo_bin!("codex-credential");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-s", "4096", "-o"]).arg(&log).arg(program).args(["get"]).env_clear();
    for (name, value) in machine.std_command("get").get_envs() {
        traced.env(name, value.unwrap());
    }
    let mut traced = traced.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    traced.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = traced.wait_with_output().unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    // 1234  openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
    let calls = log.lines().filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('));
    let calls: Vec<_> = calls.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect();
    assert!(calls.iter().any(|(name, _)| name == "openat"), "strace saw it");
    Some((calls, String::from_utf8(output.stdout).unwrap()))
}

fn are_harmless(calls: &[(String, String)]) {
    for (name, arguments) in calls {
        assert!(!FORBIDDEN.contains(&name.as_str()), "{name}({arguments}");
        let writes = arguments.contains("O_WRONLY") || arguments.contains("O_RDWR");
        assert!(!writes, "{name}({arguments}");
    }
}

/// How many documents of other hosts were opened. Without root's rights strace does not see by which names, since the
/// program lets nobody into its memory.
fn documents(calls: &[(String, String)]) -> Option<usize> {
    let names = || calls.iter().map(|(_, arguments)| arguments);
    let is_seen = names().any(|arguments| arguments.contains("/codex-credential"));
    (is_seen || rustix::process::geteuid().is_root())
        .then(|| names().filter(|name| name.contains("/codex-credential/git")).count())
}

#[test]
fn a_warm_get_makes_no_socket_lock_thread_or_child() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let Some((calls, answer)) = traced(&machine, OURS) else { return };
    assert!(answer.contains(&tokens.access_token));
    are_harmless(&calls);
    assert_eq!(documents(&calls).unwrap_or(0), 0, "what is kept for other hosts is not looked at");
}

#[test]
fn a_variable_for_a_trace_that_is_empty_is_none() {
    let (mut machine, _) = Machine::signed_in(864_000);
    machine.set("CODEX_CREDENTIAL_TRACE", "");
    let Some((calls, _)) = traced(&machine, OURS) else { return };
    assert_eq!(calls.iter().filter(|(name, _)| name == "execve").count(), 1, "it answers itself");
}

/// A renewal writes the login, and then how far the server's clock is off: whoever read them in that order, too, could
/// judge the old login by what was seen with the new one, and answer with a token that has ended.
#[test]
fn how_far_the_clock_is_off_is_read_before_the_login() {
    let (machine, _) = Machine::signed_in(864_000);
    let Some((calls, _)) = traced(&machine, OURS) else { return };
    if documents(&calls).is_none() {
        return;
    }
    let read = |name: &str| {
        let opened = calls.iter().position(|(call, arguments)| {
            call.starts_with("open") && arguments.contains(&format!("/{name}\""))
        });
        opened.unwrap_or_else(|| panic!("{name} is read"))
    };
    assert!(read("skew") < read("auth.json"));
}

/// Runs `get --format token` by a copy of the answering program, which has no full program beside it to hand over to.
fn answer_without_the_full_program(machine: &Machine, limits: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("codex-credential");
    std::fs::copy(assert_cmd::cargo::cargo_bin!("codex-credential"), &program).unwrap();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limits} exec \"$0\" get --format token")).arg(&program);
    command.env_clear().stdin(Stdio::null());
    for (name, value) in machine.std_command("get").get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn address_space_of_64_mib_is_enough_to_answer() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let answer = answer_without_the_full_program(&machine, "ulimit -v 65536 &&");
    assert_eq!(answer, tokens.access_token);
}

#[test]
fn large_codex_configuration_is_read_before_the_answer() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let mut config = String::from("cli_auth_credentials_store = \"file\"\n");
    for number in 0.. {
        writeln!(config, "[projects.\"/home/ada/project-{number}\"]\ntrust_level = \"trusted\"")
            .unwrap();
        if config.len() >= 3_800_000 {
            break;
        }
    }
    std::fs::write(machine.path("config.toml"), config).unwrap();
    assert_eq!(answer_without_the_full_program(&machine, ""), tokens.access_token);
}

#[test]
fn a_get_for_another_host_reads_one_document_whatever_the_number_of_hosts() {
    let mut machine = Machine::new();
    // Without one the system is asked for it, through a socket.
    machine.set("HOME", "/nonexistent");
    for number in 0..100 {
        let given = format!("protocol=https\nhost=h{number}.example\nusername=u\npassword=p\n");
        machine.command("store").write_stdin(given).assert().success();
    }
    for (host, answer) in [("h50", "username=u\npassword=p\n"), ("unknown", "")] {
        let request = format!("protocol=https\nhost={host}.example\n");
        let Some((calls, found)) = traced(&machine, &request) else { return };
        assert_eq!(found, answer);
        are_harmless(&calls);
        assert_eq!(documents(&calls).unwrap_or(1), 1);
    }
}
