//! A warm `get` only reads the login: it opens no socket, takes no lock, writes nothing, and starts no thread, process
//! or event loop. The answering program alone answers it.

use crate::machine::{Machine, OURS};
use clap::Parser;
use codex_credential::answer::formats::Format;
use codex_credential::cli::simple_get::SimpleGet;
use codex_credential::cli::{Cli, Operation};
use std::fmt::Write as _;
use std::io::Write;
use std::process::{Command, Output, Stdio};

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

/// Returns the system calls of a `get` as (name, arguments), and its answer; `None` without strace.
fn traced(machine: &Machine, request: &str) -> Option<(Vec<(String, String)>, String)> {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: strace is missing; run: apt-get install strace");
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
    assert!(calls.iter().any(|(name, _)| name == "openat"), "strace recorded the calls");
    Some((calls, String::from_utf8(output.stdout).unwrap()))
}

fn assert_read_only(calls: &[(String, String)]) {
    for (name, arguments) in calls {
        assert!(!FORBIDDEN.contains(&name.as_str()), "{name}({arguments}");
        let writes = arguments.contains("O_WRONLY") || arguments.contains("O_RDWR");
        assert!(!writes, "{name}({arguments}");
    }
}

/// Counts the opened files of other hosts' credentials. `None` if strace does not show file names: the program protects its
/// memory, and only root's strace can read it.
fn opened_credentials(calls: &[(String, String)]) -> Option<usize> {
    let names = || calls.iter().map(|(_, arguments)| arguments);
    let is_seen = names().any(|arguments| arguments.contains("/codex-credential"));
    (is_seen || rustix::process::geteuid().is_root())
        .then(|| names().filter(|name| name.contains("/codex-credential/git")).count())
}

#[test]
fn warm_get_makes_no_socket_lock_thread_or_process() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let Some((calls, answer)) = traced(&machine, OURS) else { return };
    assert!(answer.contains(&tokens.access_token));
    assert_read_only(&calls);
    assert_eq!(
        opened_credentials(&calls).unwrap_or(0),
        0,
        "credentials of other hosts are not read"
    );
}

#[test]
fn empty_trace_variable_does_not_start_the_full_program() {
    let (mut machine, _) = Machine::signed_in(864_000);
    machine.set("CODEX_CREDENTIAL_TRACE", "");
    let Some((calls, _)) = traced(&machine, OURS) else { return };
    assert_eq!(
        calls.iter().filter(|(name, _)| name == "execve").count(),
        1,
        "only the answering program ran"
    );
}

/// A renewal writes the login first and the clock skew second. A reader that used the same order could combine the old login
/// with the new skew, and answer with an expired token.
#[test]
fn clock_skew_is_read_before_the_login() {
    let (machine, _) = Machine::signed_in(864_000);
    let Some((calls, _)) = traced(&machine, OURS) else { return };
    if opened_credentials(&calls).is_none() {
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

/// Runs `arguments` with a copy of the answering program that has no full program beside it. `limits` is a shell command.
fn answer_without_the_full_program(machine: &Machine, limits: &str, arguments: &str) -> String {
    let output = run_without_the_full_program(machine, limits, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn run_without_the_full_program(machine: &Machine, limits: &str, arguments: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("codex-credential");
    // Not fs::copy: a process that another test starts would inherit the open file, which then cannot be run.
    let mut copy = Command::new("cp");
    copy.arg(assert_cmd::cargo::cargo_bin!("codex-credential")).arg(&program);
    assert!(copy.status().unwrap().success());
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limits} exec \"$0\" {arguments}")).arg(&program);
    command.env_clear().stdin(Stdio::null());
    for (name, value) in machine.std_command("get").get_envs() {
        command.env(name, value.unwrap());
    }
    command.output().unwrap()
}

#[test]
fn missing_full_program_is_reported_in_the_format_that_the_caller_names() {
    let (machine, _) = Machine::signed_in(-1);
    for arguments in ["get --error-format json", "--error-format=json status"] {
        let output = run_without_the_full_program(&machine, "", arguments);
        assert_eq!(output.status.code(), Some(1));
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["kind"], "storage");
    }
    let output = run_without_the_full_program(&machine, "", "token");
    assert!(output.stderr.starts_with(b"codex-credential: cannot run codex-credential-full"));
}

#[test]
fn address_space_of_64_mib_is_enough_to_answer() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let answer = answer_without_the_full_program(&machine, "ulimit -v 65536 &&", "token");
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
    assert_eq!(answer_without_the_full_program(&machine, "", "token"), tokens.access_token);
}

#[test]
fn get_for_another_host_reads_one_of_many_files() {
    let mut machine = Machine::new();
    // Without HOME, the system is asked for the home directory, through a socket.
    machine.set("HOME", "/nonexistent");
    for number in 0..100 {
        let request = format!("protocol=https\nhost=h{number}.example\nusername=u\npassword=p\n");
        machine.command("store").write_stdin(request).assert().success();
    }
    for (host, answer) in [("h50", "username=u\npassword=p\n"), ("unknown", "")] {
        let request = format!("protocol=https\nhost={host}.example\n");
        let Some((calls, actual)) = traced(&machine, &request) else { return };
        assert_eq!(actual, answer);
        assert_read_only(&calls);
        assert_eq!(opened_credentials(&calls).unwrap_or(1), 1);
    }
}

/// The argument lists that `configure` writes and the documents show.
const WARM: [&str; 15] = [
    "get",
    "get --format git",
    "get --format token",
    "get --format json",
    "get --format header",
    "get --format env",
    "get --format exec-credential",
    "get --format exec-credential --token id",
    "get --profile codex",
    "get --format token --profile codex",
    "get --format token --min-validity 8h",
    "get --format token --wait 60s",
    "--profile codex get",
    "token",
    "token --profile codex --wait 2m",
];

/// Parses the arguments with clap.
fn parse(line: &str) -> SimpleGet {
    let arguments = ["codex-credential"].into_iter().chain(line.split(' '));
    let cli = Cli::try_parse_from(arguments).unwrap();
    let (format, options, reads_request) = match cli.operation {
        Operation::Get(get) => (get.format, get.token, true),
        Operation::Token(token) => (Some(Format::Token), token.token, false),
        other => panic!("{line}: {other:?}"),
    };
    let (profile, wait) = (cli.global.profile, cli.global.wait);
    let (token, min_validity) = (options.token, options.min_validity);
    SimpleGet { format, profile, token, min_validity, wait, reads_request }
}

fn recognize(line: &str) -> Option<SimpleGet> {
    SimpleGet::recognize(&line.split(' ').collect::<Vec<_>>())
}

#[test]
fn warm_argument_list_means_the_same_to_clap() {
    for line in WARM {
        assert_eq!(recognize(line), Some(parse(line)), "{line}");
    }
}

#[test]
fn warm_argument_list_is_answered_without_the_full_program() {
    let (machine, tokens) = Machine::signed_in(864_000);
    for line in WARM {
        let answer = answer_without_the_full_program(&machine, "", line);
        let is_id = line.contains("--token id");
        let token = if is_id { &tokens.id_token } else { &tokens.access_token };
        assert!(answer.contains(token), "{line}: {answer}");
    }
}

#[test]
fn other_argument_list_is_left_to_clap() {
    for line in [
        "--wait 10s get",
        "get --wait 10s --wait 2s",
        "--profile codex get --profile codex",
        "get --format=token",
        "get --format xml",
        "get --format",
        "get --wait soon",
        "get --profile -x",
        "get --verbose",
        "get extra",
        "token --format json",
        "status",
        "",
    ] {
        assert_eq!(recognize(line), None, "{line}");
    }
}

#[test]
fn option_before_the_command_is_accepted_warm_and_cold() {
    for lifetime in [864_000, -1] {
        let (machine, _) = Machine::signed_in(lifetime);
        machine.command("--wait 10s get").assert().success();
        machine.command("--profile codex get --wait 10s").assert().success();
    }
}

#[test]
fn option_given_twice_is_a_usage_error_warm_and_cold() {
    for lifetime in [864_000, -1] {
        let (machine, _) = Machine::signed_in(lifetime);
        for (line, option) in [
            ("get --format token --format json", "--format"),
            ("token --wait 10s --wait 10s", "--wait"),
        ] {
            let output = machine.command(line).assert().code(2);
            output.stderr(predicates::str::contains(option));
        }
        machine.command("exec -- true --wait 1s --wait 1s").assert().success();
        // An option after the command overrides the same option before it.
        machine.command("--profile none get --profile codex").assert().success();
        machine.command("--profile codex get --profile none").assert().code(2);
    }
}
