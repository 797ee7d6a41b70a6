//! Searches outputs, files and process memory for the bytes of tokens.

use crate::machine::{Machine, PATIENCE, eventually, files};
use issuer::{Endpoint, Fault};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Set in the child process of a test that runs itself.
const CHILD: &str = "CODEX_CREDENTIAL_TEST_CHILD";

fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Returns the tokens of the stored login, and their signatures.
fn stored(machine: &Machine) -> Vec<String> {
    let document = machine.auth_json();
    let token = |name: &str| document["tokens"][name].as_str().unwrap().to_owned();
    let tokens = ["access_token", "refresh_token", "id_token"].map(token);
    let signature = |token: &String| token.rsplit('.').next().unwrap().to_owned();
    tokens.iter().map(signature).chain(tokens.clone()).collect()
}

/// Asserts that none of `secrets` is in `bytes`.
fn assert_absent(secrets: &[String], bytes: &[u8], place: &str) {
    for secret in secrets {
        assert!(!contains(bytes, secret), "a token is in {place}");
    }
}

fn assert_not_in_output(secrets: &[String], output: &Output, line: &str) {
    assert_absent(secrets, &output.stdout, &format!("the standard output of {line}"));
    assert_absent(secrets, &output.stderr, &format!("the standard error of {line}"));
}

/// Asserts that no file except the login contains any of `secrets`.
fn assert_in_no_other_file(secrets: &[String], machine: &Machine) {
    for file in files(machine.codex_home()) {
        if !file.ends_with("auth.json") {
            assert_absent(secrets, &fs::read(&file).unwrap(), &file.display().to_string());
        }
    }
}

#[test]
fn no_command_leaves_a_token_in_output_or_files() {
    let attack = attack!(
        Secrets,
        "the bytes of the tokens and of their signatures, in output with `-v`, errors, traces and every file except the login: sign-in, failed renewals, renewal, status, audit, doctor, profile test, exec, move, logout"
    );
    let mut machine = Machine::new();
    let trace = machine.path("trace").to_str().unwrap().to_owned();
    machine.set("CODEX_CREDENTIAL_TRACE", &trace);
    let config = machine.path("config.toml");
    machine.set("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap());
    let mut secrets = Vec::new();
    let mut seen = Vec::new();
    let run = |line: &str| (line.to_owned(), machine.command(line).output().unwrap());

    fs::write(&config, "audit = \"all\"\n").unwrap();
    machine.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(3));
    let login = machine.start("-v login --wait 30s");
    machine.approve_next();
    seen.push(("login".into(), login.wait_with_output().unwrap()));
    secrets.extend(stored(&machine));
    eventually(|| !machine.issuer.is_live_access_token(&secrets[3]));
    for fault in [
        Fault::status(503, ""),
        Fault::status(400, r#"{"error":"temporarily_unavailable"}"#),
        Fault::NotJson,
        Fault::Drop,
    ] {
        machine.issuer.fault(Endpoint::Refresh, fault, 1);
        let line = "-v get --format token --wait 20s --error-format json";
        let output = machine.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        seen.push((line.into(), output));
        let _ = fs::remove_file(machine.own("failure"));
    }
    machine.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(3600));
    let renewed = machine.command("-v get --format token --wait 20s").output().unwrap();
    assert!(renewed.status.success());
    assert_not_in_stderr(&secrets, &renewed);
    secrets.extend(stored(&machine));
    assert_not_in_stderr(&secrets, &renewed);
    for line in [
        "-v status",
        "audit",
        "audit --json",
        "doctor --show",
        "status --json",
        "profile show",
        "profile test",
        "renew -v",
        "exec -v -- true",
        "move --to file -v",
        "status --error-format json",
        "get --interactive never --error-format json -v",
    ] {
        seen.push(run(line));
    }
    assert_in_no_file_except(&secrets, &machine, "login");
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    let run = |line: &str| (line.to_owned(), machine.command(line).output().unwrap());
    for line in ["move --to codex -v", "logout -v"] {
        seen.push(run(line));
    }
    assert_eq!(machine.issuer.counts().revocations, 0, "the login was moved first");
    machine.set("CODEX_CREDENTIAL_STORAGE", "codex");
    let run = |line: &str| (line.to_owned(), machine.command(line).output().unwrap());
    seen.push(run("logout -v"));
    assert_eq!(machine.issuer.counts().revocations, 1);
    for (line, output) in &seen {
        attack.again();
        assert_not_in_output(&secrets, output, line);
    }
    assert_in_no_other_file(&secrets, &machine);
    assert!(!machine.path("auth.json").exists());
    assert!(fs::read_to_string(trace).unwrap().contains("\"status\":503"));
    attack.tries(1);
}

fn assert_not_in_stderr(secrets: &[String], output: &Output) {
    assert_absent(secrets, &output.stderr, "standard error");
}

fn assert_in_no_file_except(secrets: &[String], machine: &Machine, login: &str) {
    for file in files(machine.codex_home()) {
        if !file.ends_with(login) {
            assert_absent(secrets, &fs::read(&file).unwrap(), &file.display().to_string());
        }
    }
}

#[test]
fn no_token_in_process_arguments_or_renewal_environment() {
    let attack = attack!(
        Secrets,
        "tokens and other secrets in the arguments of caller and renewal process, and in the environment of the renewal process"
    );
    let (mut machine, tokens) = Machine::signed_in(-1);
    machine.set("CODEX_ACCESS_TOKEN", &tokens.access_token);
    machine.set("OPENAI_API_KEY", "sk-made-up");
    machine.set("GITHUB_TOKEN", "ghp-made-up");
    machine.set("https_proxy", "http://127.0.0.1:9");
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(2)), 1);
    let caller = machine.start("get --format token --wait 30s");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    let secrets = stored(&machine);
    let read = |pid: u32, file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap();
    let renewers = machine.renewers();
    assert_eq!(renewers.len(), 1);
    for pid in [caller.id(), renewers[0]] {
        assert_absent(&secrets, &read(pid, "cmdline"), "arguments");
    }
    if let Ok(environment) = fs::read(format!("/proc/{}/environ", renewers[0])) {
        assert_absent(&secrets, &environment, "the environment");
        assert!(!contains(&environment, "made-up"), "the caller's other secrets");
        assert!(
            contains(&environment, "https_proxy=http://127.0.0.1:9"),
            "the proxy variable is passed on"
        );
    } else {
        assert!(!rustix::process::geteuid().is_root(), "root can read it");
    }
    assert!(caller.wait_with_output().unwrap().status.success());
    attack.tries(3);
}

#[test]
fn exec_passes_only_the_requested_variable() {
    let attack = attack!(
        Secrets,
        "more than the requested token in the environment of the command of `exec`"
    );
    let (machine, tokens) = Machine::signed_in(864_000);
    let line = "exec --env MINE=token -- /usr/bin/env";
    let output = machine.command(line).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let with_token: Vec<_> =
        text.lines().filter(|line| line.contains(&tokens.access_token)).collect();
    assert_eq!(with_token, [format!("MINE={}", tokens.access_token)]);
    assert!(!text.contains(&tokens.refresh_token));
    attack.tries(1);
}

/// Runs `program` without root's capabilities, which allow it to read every process.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(program);
    command
}

#[cfg(target_os = "linux")]
#[test]
fn other_processes_of_the_user_cannot_read_memory() {
    let attack = attack!(
        Secrets,
        "another process of the same user reads memory or environment of a process with tokens; core dumps"
    );
    let (machine, _) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayBefore(Duration::from_secs(20)), 1);
    let ours = machine.std_command("get --wait 30s");
    let mut command = unprivileged(Path::new(ours.get_program()));
    command.args(ours.get_args()).env_clear();
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stderr(Stdio::null());
    let mut caller = command.spawn().unwrap();
    let mut other = unprivileged(Path::new("sleep")).arg("60").spawn().unwrap();
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    let can_read = |pid: u32, file: &str| {
        let path = format!("/proc/{pid}/{file}");
        let read = unprivileged(Path::new("head")).args(["-c", "1", &path]).output().unwrap();
        // Address 0 is not mapped, so only a failure to open counts.
        read.status.success() || !String::from_utf8_lossy(&read.stderr).contains("open")
    };
    for file in ["environ", "mem"] {
        eventually(|| can_read(other.id(), file));
        for pid in [caller.id(), machine.renewers()[0]] {
            attack.again();
            assert!(!can_read(pid, file), "{file} of {pid}");
        }
    }
    for child in [&mut caller, &mut other] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Returns the writable memory of a process.
#[cfg(target_os = "linux")]
fn memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let file = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        if file.read_exact_at(&mut bytes, start).is_ok() {
            all.extend(bytes);
        }
    }
    all
}

#[cfg(target_os = "linux")]
#[test]
fn waiting_process_holds_no_token_in_memory() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: reading the memory of another process requires root");
        return;
    }
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    let attack = attack!(
        Secrets,
        "tokens that were read, in the memory of both processes while they wait for the user"
    );
    // Reads the login, fails to renew it, then waits for a sign-in.
    let mut caller = machine.start("get --wait 60s");
    assert!(machine.issuer.wait_until(|counts| counts.polls >= 2, PATIENCE));
    let home = machine.codex_home().to_str().unwrap();
    for (pid, name) in [(caller.id(), "the caller"), (machine.renewers()[0], "the sign-in")] {
        let in_memory = memory(pid);
        assert!(contains(&in_memory, home), "the memory was read");
        assert_absent(&stored(&machine), &in_memory, &format!("the memory of {name}"));
    }
    caller.kill().unwrap();
    caller.wait().unwrap();
    attack.tries(2);
}

#[test]
fn panic_shows_its_location_and_no_token() {
    let token = "made-up-tökén";
    if std::env::vars_os().any(|(name, _)| name == CHILD) {
        codex_credential::hardening::protect_process();
        // The panic message quotes the text.
        let cut = &token[..9];
        unreachable!("{cut}");
    }
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let attack = attack!(Secrets, "a panic whose message quotes a token");
    itself.args(["--exact", "secrets::panic_shows_its_location_and_no_token"]);
    let output = itself.arg("--nocapture").env(CHILD, "1").output().unwrap();
    let says = [output.stdout, output.stderr].concat();
    let says = String::from_utf8_lossy(&says);
    assert!(!says.contains("made-up"), "{says}");
    assert!(says.contains("codex-credential: internal error at tests/it/secrets.rs:"), "{says}");
    attack.tries(1);
}
