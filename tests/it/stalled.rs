//! Standard error, a trace or another file is a pipe that nobody reads: no command waits for a reader, and no login is lost.

use crate::machine::{Machine, eventually, lock, token_of};
use codex_credential::clock::Deadline;
use issuer::{Endpoint, Fault};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat, open};
use rustix::io::{Errno, write};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn pipe_at(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Fills a pipe. Later writes to it block.
fn fill(writer: &OwnedFd) {
    fcntl_setfl(writer, OFlags::NONBLOCK).unwrap();
    for length in [4096, 1] {
        while write(writer, &[b'.'; 4096][..length]).is_ok() {}
    }
    assert_eq!(write(writer, b"."), Err(Errno::AGAIN));
    fcntl_setfl(writer, OFlags::empty()).unwrap();
}

/// A pipe that is full, and whose reader does not read.
struct Stalled {
    _reader: OwnedFd,
    writer: OwnedFd,
}

impl Stalled {
    fn new() -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        Self::full(reader.into(), writer.into())
    }

    fn at(path: &Path) -> Self {
        pipe_at(path);
        let open = |flags| open(path, flags | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
        let reader = open(OFlags::RDONLY).unwrap();
        Self::full(reader, open(OFlags::WRONLY).unwrap())
    }

    fn full(reader: OwnedFd, writer: OwnedFd) -> Self {
        fill(&writer);
        Self { _reader: reader, writer }
    }

    fn stdio(&self) -> Stdio {
        self.writer.try_clone().unwrap().into()
    }
}

/// A machine that writes its trace to a pipe. Returns the path of the pipe.
fn tracing_to_a_pipe(lifetime: i64) -> (Machine, PathBuf) {
    let (mut machine, _) = Machine::signed_in(lifetime);
    let trace = machine.path("trace");
    machine.set("CODEX_CREDENTIAL_TRACE", trace.to_str().unwrap());
    (machine, trace)
}

/// Runs a command, which has to end long before its `--wait`. Returns its standard output and error.
fn run(command: &mut Command) -> (String, String) {
    let output = command.stdout(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    (String::from_utf8(output.stdout).unwrap(), text)
}

fn assert_unlocked(machine: &Machine) {
    eventually(|| machine.renewers().is_empty());
    for path in [machine.own("lock"), machine.path("auth.lock")] {
        if path.exists() {
            lock(&path);
        }
    }
}

#[test]
fn trace_on_a_pipe_without_a_reader_is_reported_once() {
    for lifetime in [864_000, -1] {
        for line in ["get --format token", "get --format token -v"] {
            let (machine, trace) = tracing_to_a_pipe(lifetime);
            pipe_at(&trace);
            let (answer, said) = run(machine.std_command(line).stderr(Stdio::piped()));
            assert_eq!(answer.trim_end(), machine.auth_json()["tokens"]["access_token"]);
            assert_eq!(said.matches("no process reads this pipe").count(), 1, "{said}");
            assert_unlocked(&machine);
        }
    }
}

#[test]
fn trace_on_a_full_pipe_delays_nothing_and_holds_no_lock() {
    for lifetime in [864_000, -1] {
        let (machine, trace) = tracing_to_a_pipe(lifetime);
        let _stalled = Stalled::at(&trace);
        let (answer, said) =
            run(machine.std_command("get --format token --wait 25s").stderr(Stdio::piped()));
        assert_eq!(answer.trim_end(), machine.auth_json()["tokens"]["access_token"]);
        assert_eq!(said, "");
        assert_unlocked(&machine);
    }
}

#[test]
fn full_standard_error_delays_no_answer_and_holds_no_lock() {
    for line in ["get --format token -v", "--wait 25s token -v", "status -v", "renew -v"] {
        for lifetime in [864_000, -1] {
            let (machine, _) = Machine::signed_in(lifetime);
            let stalled = Stalled::new();
            run(machine.std_command(line).stderr(stalled.stdio()));
            assert_unlocked(&machine);
        }
    }
}

#[test]
fn callers_that_share_a_full_standard_error_all_get_the_token() {
    let (machine, _) = Machine::signed_in(-1);
    let stalled = Stalled::new();
    let callers: Vec<_> = (0..12)
        .map(|_| {
            let mut command = machine.std_command("get --format token -v --wait 60s");
            command.stderr(stalled.stdio()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let tokens: Vec<String> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_unlocked(&machine);
}

#[test]
fn error_and_prompt_on_a_full_standard_error_do_not_delay_the_sign_in() {
    let machine = Machine::new();
    let stalled = Stalled::new();
    let mut failing = machine.std_command("get --interactive never --wait 25s");
    assert_eq!(failing.stderr(stalled.stdio()).status().unwrap().code(), Some(3));
    let mut login = machine.std_command("login --wait 25s");
    let mut login = login
        .env("CODEX_CREDENTIAL_INTERACTIVE", "always")
        .stderr(stalled.stdio())
        .spawn()
        .unwrap();
    machine.approve_next();
    assert!(login.wait().unwrap().success());
    assert_unlocked(&machine);
    machine.token();
}

#[test]
fn renewal_killed_while_all_its_outputs_are_full_loses_no_login() {
    let (machine, trace) = tracing_to_a_pipe(-1);
    let stalled = (Stalled::at(&trace), Stalled::new());
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(300)), 1);
    let mut caller = machine.std_command("get -v --wait 25s");
    let mut caller = caller.stdout(Stdio::null()).stderr(stalled.1.stdio()).spawn().unwrap();
    let journal = machine.own("journal");
    // The first write after the response records the answer.
    let is_recorded =
        || fs::read(&journal).is_ok_and(|text| text.split(|byte| *byte == b'\n').count() > 2);
    let before = machine.auth_json();
    eventually(|| is_recorded() || machine.auth_json() != before);
    machine.renewers().into_iter().for_each(crate::machine::kill);
    let _ = caller.kill();
    caller.wait().unwrap();
    let token = machine.token();
    assert_ne!(before["tokens"]["access_token"], token.as_str());
    let refresh_token = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    assert!(machine.issuer.is_live_refresh_token(&refresh_token));
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn pipe_as_audit_log_delays_nothing() {
    for lifetime in [864_000, -1] {
        let (machine, _) = Machine::signed_in(lifetime);
        pipe_at(&machine.path("state/codex-credential/audit.log"));
        machine.token();
        machine.command("doctor").assert().stdout(predicates::str::contains("audit"));
        assert_unlocked(&machine);
    }
}

#[test]
fn link_as_audit_log_is_not_followed() {
    let (machine, _) = Machine::signed_in(-1);
    let (log, other) = (machine.path("state/codex-credential/audit.log"), machine.path("other"));
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    File::create(&other).unwrap();
    std::os::unix::fs::symlink(&other, &log).unwrap();
    machine.token();
    assert_unlocked(&machine);
    assert_eq!(fs::read(&other).unwrap(), b"");
}

#[test]
fn pipe_as_certificate_is_refused_without_a_wait() {
    let (mut machine, _) = Machine::signed_in(-1);
    let certificate = machine.path("ca.pem");
    pipe_at(&certificate);
    machine.set("CODEX_CA_CERTIFICATE", certificate.to_str().unwrap());
    let refused = machine.command("get --wait 25s").assert().code(2);
    refused.stderr(predicates::str::contains("it is not a regular file"));
    assert_unlocked(&machine);
}

/// The calls that write, in the order of their ends.
const WRITES: &str = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,read,readv,recvfrom,recvmsg,ftruncate,rename,renameat,renameat2,unlink,unlinkat";

#[test]
fn first_write_after_a_token_response_is_the_journal() {
    if Command::new("strace").arg("-V").output().is_err() || !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root and strace; run: apt-get install strace");
        return;
    }
    let (renewal, trace) = tracing_to_a_file(-1);
    let (sign_in, sign_in_trace) = tracing_to_a_file(-1);
    fs::remove_file(sign_in.path("auth.json")).unwrap();
    sign_in.issuer.set(|s| s.auto_approve = Some(Duration::ZERO));
    for (machine, trace, line) in
        [(renewal, trace, "get -v --wait 25s"), (sign_in, sign_in_trace, "login -v --wait 25s")]
    {
        let log = machine.path("strace.log");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-y", "-s", "16384", "-e", WRITES, "-e", "signal=none", "-o"]);
        let command = machine.std_command(line);
        strace.arg(&log).arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap());
        }
        run(strace.stdin(Stdio::null()).stderr(Stdio::piped()));
        let log = fs::read_to_string(&log).unwrap();
        let is_response =
            |call: &&str| call.contains("HTTP/1.1 200") && call.contains("refresh_token");
        let after = log.lines().skip_while(|call| !is_response(call)).skip(1);
        let reads = ["read(", "readv(", "recvfrom(", "recvmsg("];
        // A runtime wakes itself with an eventfd.
        let writes = after.filter(|call| {
            !reads.iter().any(|read| call.contains(read))
                && !call.contains("eventfd")
                && !call.contains("resumed>")
        });
        let writes: Vec<&str> = writes.collect();
        assert!(writes[0].contains("/journal>"), "{line}: {:#?}", &writes[..4]);
        // The rest of the exchange follows.
        assert!(writes.iter().any(|call| call.contains("trace>") && call.contains("oauth/token")));
        assert!(fs::read_to_string(trace).unwrap().contains("\"event\":\"request\""));
    }
}

fn tracing_to_a_file(lifetime: i64) -> (Machine, PathBuf) {
    let (machine, trace) = tracing_to_a_pipe(lifetime);
    File::create(&trace).unwrap();
    (machine, trace)
}

#[test]
fn events_on_a_full_standard_output_delay_no_sign_in_and_hold_no_lock() {
    let stalled = Stalled::new();
    let login = |machine: &Machine, wait: &str| {
        let mut command = machine.std_command(&format!("login --json --wait {wait}"));
        command.stdout(stalled.stdio()).stderr(Stdio::null()).spawn().unwrap()
    };
    let machine = Machine::new();
    let soon = Deadline::after(Duration::from_secs(20));
    assert_eq!(login(&machine, "2s").wait().unwrap().code(), Some(3));
    assert!(!soon.is_over());
    let machine = Machine::new();
    let mut first = login(&machine, "60s");
    let mut second = login(&machine, "60s");
    machine.approve_next();
    assert!(first.wait().unwrap().success());
    assert!(second.wait().unwrap().success());
    assert_unlocked(&machine);
}

#[test]
fn full_standard_output_ends_a_caller_within_its_wait() {
    let stalled = Stalled::new();
    for line in ["token -v --wait 3s", "get -v --wait 3s", "export --wait 3s"] {
        // The early renewal keeps signals waiting, but not its caller.
        let machine = Machine::new();
        machine.aged_sign_in(10 * 3600, 9 * 24 * 3600);
        let soon = Deadline::after(Duration::from_secs(20));
        let mut command = machine.std_command(line);
        let status = command.stdout(stalled.stdio()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{line}");
        assert!(!soon.is_over(), "{line}");
        assert_unlocked(&machine);
    }
}
