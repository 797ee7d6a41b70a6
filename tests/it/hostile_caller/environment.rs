//! Endless input, closed streams, and variables and programs that callers put in the way.

use crate::hostile_caller::{holds, run};
use crate::machine::{Machine, OURS, eventually, files};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Returns the peak memory of a process in KiB (`VmHWM`).
fn peak_memory(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Writes up to a gigabyte. Returns how much the reader took before it closed the pipe.
fn pour(mut into: impl Write, chunk: &[u8]) -> usize {
    let mut taken = 0;
    while taken < 1 << 30 && into.write_all(chunk).is_ok() {
        taken += chunk.len();
    }
    taken
}

#[test]
fn gigabyte_of_input_is_rejected_after_its_first_megabyte() {
    let attack = attack!(
        Callers,
        "a gigabyte of input, in one line, in many, of any bytes, after the end of a request: less than 2 MB are taken"
    );
    let (machine, tokens) = Machine::signed_in(3600);
    let line = [b"path=".as_slice(), &b"x".repeat(1 << 16)].concat();
    let lines = "future=attribute\n".repeat(4096);
    for operation in ["get", "store", "erase"] {
        for chunk in [
            &line[5..],
            &line,
            lines.as_bytes(),
            b"\0".repeat(1 << 16).as_slice(),
            b"\xff".repeat(1 << 16).as_slice(),
        ] {
            attack.again();
            let mut process = machine.std_command(operation);
            process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut process = process.spawn().unwrap();
            let taken = pour(process.stdin.take().unwrap(), chunk);
            let output = process.wait_with_output().unwrap();
            assert!(taken < 2 << 20, "{operation}: {taken} bytes");
            assert_eq!(output.status.code(), Some(2), "{operation}: {output:?}");
            assert!(output.stdout.is_empty() && output.stderr.len() < 500, "{operation}");
        }
    }
    // Nothing after the end of a request is read.
    let mut process = machine.std_command("get");
    process.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = process.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(OURS.as_bytes()).unwrap();
    assert!(pour(stdin, lines.as_bytes()) < 2 << 20);
    assert!(holds(&process.wait_with_output().unwrap().stdout, &tokens.access_token));
    attack.tries(1);
}

#[test]
fn request_of_nearly_a_megabyte_needs_little_memory() {
    let attack = attack!(Callers, "a request of nearly a megabyte: less than 24 MiB in use");
    let (machine, _) = Machine::signed_in(3600);
    let mut process = machine.std_command("get --wait 20s");
    process.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut process = process.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let request = format!("{}{}", OURS.trim_end(), "\nfuture=attribute".repeat(61_000));
    stdin.write_all(request.as_bytes()).unwrap();
    // The program has read all but the content of the pipe and waits for more.
    let peak = peak_memory(&process);
    assert!(peak < 24 << 10, "{peak} KiB");
    drop(stdin);
    assert!(process.wait().unwrap().success());
    attack.tries(1);
}

fn shell(machine: &Machine, script: &str) -> Output {
    let line = machine.std_command("get --format token");
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", script]).arg(line.get_program()).stdin(Stdio::null());
    shell.envs(line.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.output().unwrap()
}

#[test]
fn closed_stream_causes_no_panic_and_no_write_to_a_file() {
    let attack = attack!(Callers, "streams that are closed or full");
    let (machine, tokens) = Machine::signed_in(-1);
    let good = "get --wait 20s --format token";
    for (redirected, operation, code) in [
        (">&-", good, 0),
        (">&- 2>&-", good, 0),
        ("<&- >&- 2>&-", good, 0),
        ("2>&-", "get --bogus", 2),
        ("2>&-", "get --wait soon", 2),
        (">&- 2>&-", "status", 0),
        (">&- 2>&-", "erase --yes", 0),
        (">&- 2>&-", "get --interactive never", 3),
        ("2>/dev/full", "get --interactive never", 3),
        (">/dev/full", "capability", 1),
    ] {
        attack.again();
        let output = shell(&machine, &format!("\"$0\" {operation} {redirected}"));
        assert_eq!(output.status.code(), Some(code), "{operation} {redirected}: {output:?}");
    }
    let leaks = files(machine.codex_home()).into_iter().filter(|file| {
        let text = fs::read(file).unwrap();
        holds(&text, "codex-credential: ") || holds(&text, "Bearer")
    });
    assert_eq!(leaks.count(), 0);
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
}

#[test]
fn reader_that_closes_the_pipe_is_an_error_and_keeps_the_login() {
    let attack = attack!(Callers, "pipes that nobody reads (SIGPIPE)");
    let (machine, tokens) = Machine::signed_in(3600);
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for (line, code) in [("get", 1), ("capability", 1), ("status", 1), ("get --bogus", 2)] {
        attack.again();
        let status = machine.std_command(line).stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{line}: neither a signal nor a panic");
    }
    let output = machine.std_command("get").stdout(closed()).output().unwrap();
    assert!(holds(&output.stderr, "standard output"), "{output:?}");
    assert_eq!(machine.token(), tokens.access_token);
    // A sign-in goes on if the prompt cannot be written.
    let machine = Machine::new();
    let mut caller = machine.std_command("login --wait 60s");
    let mut caller = caller.stdout(closed()).stderr(closed()).spawn().unwrap();
    machine.approve_next();
    assert!(caller.wait().unwrap().success());
    assert!(machine.path("auth.json").exists());
    attack.tries(2);
}

#[test]
fn missing_home_or_temporary_folder_does_not_prevent_an_answer() {
    let attack = attack!(Callers, "no home, no temporary folder");
    let (machine, _) = Machine::signed_in(-1);
    let state = machine.path("state");
    for (name, value) in [
        ("HOME", ""),
        ("HOME", "/nonexistent"),
        ("HOME", "relative"),
        ("TMPDIR", "/nonexistent"),
        ("TMPDIR", ""),
    ] {
        attack.again();
        machine.sign_in(-1);
        let mut command = machine.command("get --format token --wait 20s");
        command.env(name, value).env("XDG_STATE_HOME", &state).assert().success();
        let given = "protocol=https\nhost=kept.example\nusername=u\npassword=p\n\n";
        let mut store = machine.command("store");
        store.env(name, value).write_stdin(given).assert().success();
        let mut get = machine.command("get");
        let output =
            get.env(name, value).write_stdin("protocol=https\nhost=kept.example\n\n").assert();
        output.success().stdout("username=u\npassword=p\n");
    }
    // No file appears in the working directory.
    assert!(!std::path::Path::new("relative").exists());
}

#[test]
fn umask_of_zero_creates_private_files() {
    let attack =
        attack!(Callers, "a umask of 0: files and folders of a sign-in, a renewal and a store");
    let machine = Machine::new();
    let umask = |line: &str| {
        let output = shell(&machine, &format!("umask 0; \"$0\" {line}"));
        assert!(output.status.success(), "{line}: {output:?}");
    };
    fs::set_permissions(machine.codex_home(), Permissions::from_mode(0o755)).unwrap();
    let caller = std::thread::scope(|scope| {
        let caller = scope.spawn(|| umask("get --wait 60s --format token"));
        machine.approve_next();
        caller.join()
    });
    caller.unwrap();
    machine.sign_in(-1);
    umask("get --wait 20s --format token");
    umask("store <<END\nprotocol=https\nhost=kept.example\nusername=u\npassword=p\nEND\n");
    let written = files(machine.codex_home());
    assert!(written.iter().any(|file| file.ends_with("auth.json")));
    assert!(written.len() > 3, "{written:?}");
    for file in written {
        attack.again();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let folder = file.parent().unwrap();
        if folder != machine.codex_home() {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }
}

/// Programs that similar tools run.
const PROGRAMS: [&str; 22] = [
    "git",
    "codex",
    "codex-credential",
    "xdg-open",
    "open",
    "sensible-browser",
    "x-www-browser",
    "firefox",
    "gio",
    "curl",
    "wget",
    "sh",
    "env",
    "ssh",
    "gpg",
    "pass",
    "secret-tool",
    "dbus-launch",
    "systemctl",
    "launchctl",
    "uname",
    "hostname",
];

#[test]
fn program_on_the_path_is_not_run_without_request() {
    let attack = attack!(Callers, "commands with 22 false programs in front on the PATH");
    let mut machine = Machine::new();
    let (folder, log) = (machine.path("fake"), machine.path("ran"));
    fs::create_dir(&folder).unwrap();
    for name in PROGRAMS {
        let script = format!("#!/bin/sh\necho {name} >>{}\nexit 1\n", log.display());
        let path = folder.join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    machine.set("PATH", folder.to_str().unwrap());
    machine.set("BROWSER", "firefox");
    machine.set("DISPLAY", ":0");
    let caller = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(caller.wait_with_output().unwrap().status.success());
    let token = machine.token();
    let refused = format!("protocol=https\nhost=chatgpt.com\npassword={token}\n\n");
    run(&machine, "erase", &refused);
    assert_ne!(machine.token(), token);
    let kept = "protocol=https\nhost=kept.example\nusername=u\npassword=p\n\n";
    for (line, input) in [
        ("store", kept),
        ("get", kept),
        ("erase", kept),
        ("capability", ""),
        ("status", ""),
        ("status --json", ""),
        ("renew", ""),
        ("profile list", ""),
        ("configure codex --print", ""),
        ("get --interactive always --format json", ""),
        ("logout", ""),
    ] {
        attack.again();
        run(&machine, line, input);
    }
    assert!(!log.exists(), "{}", fs::read_to_string(&log).unwrap_or_default());
    // With --open, a browser is run.
    let caller = machine.start("login --open --wait 60s");
    machine.approve_next();
    assert!(caller.wait_with_output().unwrap().status.success());
    eventually(|| log.exists());
    attack.tries(3);
}

/// The caller sends a request byte by byte and never ends it.
#[test]
fn request_without_an_end_is_rejected_after_wait() {
    let attack = attack!(Callers, "a request that drips");
    let (machine, _) = Machine::signed_in(3600);
    let mut process = machine.std_command("get --wait 600ms");
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    while stdin.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    attack.tries(1);
}
