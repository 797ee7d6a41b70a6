//! The audit log: what was done with a login, and for which caller.

use crate::machine::{Machine, OURS, eventually, files};
use issuer::{Endpoint, Fault};
use predicates::str::{contains, is_empty};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

fn file(machine: &Machine) -> PathBuf {
    machine.path("state/codex-credential/audit.log")
}

fn entries(machine: &Machine) -> Vec<Value> {
    let output = machine.command("audit --json").assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Returns action and outcome of each entry.
fn actions(machine: &Machine) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries(machine).iter().map(|e| (text(&e["action"]), text(&e["outcome"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn short_hash(token: &str) -> String {
    let hash = Sha256::digest(token.as_bytes());
    hash[..6].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn configure(machine: &mut Machine, text: &str) {
    let config = machine.path("config.toml");
    fs::write(&config, text).unwrap();
    machine.set("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap());
}

#[test]
fn columns_are_separated() {
    let machine = Machine::with(|s| s.device_login = false);
    machine.command("get --wait 20s").assert().code(4);
    let log = machine.command("audit").assert().success();
    log.stdout(contains(" sign_in  device_login_disabled codex  "));
}

#[test]
fn each_change_of_a_login_is_logged_once_with_its_outcome() {
    let machine = Machine::new();
    machine.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(2));
    let login = machine.start("login --wait 30s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    eventually(|| !machine.issuer.is_live_access_token(&token));
    machine.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(864_000));
    machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), 1);
    machine.command("get --wait 20s").assert().code(1);
    let renewed = machine.token();
    machine.refuse(&renewed);
    machine.command("logout").assert().success();
    let expected = [
        ("sign_in", "ok"),
        ("renewal", "server"),
        ("renewal", "ok"),
        ("rejection", "ok"),
        ("logout", "ok"),
    ];
    assert_eq!(actions(&machine), pairs(&expected));
    let entries = entries(&machine);
    assert_eq!(entries[0]["token"], short_hash(&token));
    assert_eq!(entries[2]["token"], short_hash(&renewed));
    assert!(entries.iter().all(|entry| entry["account"] == "ada@example.com"));
    assert!(entries.iter().all(|entry| entry["profile"] == "codex"));
    let mode = fs::metadata(file(&machine)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn entry_of_a_renewal_process_names_the_caller() {
    let (machine, _) = Machine::signed_in(-1);
    machine.token();
    let caller = &entries(&machine)[0]["caller"];
    assert_eq!(caller["pid"], std::process::id());
    let program = fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(caller["program"], program.trim_end());
}

#[test]
fn denied_sign_in_and_ended_login_are_logged_once() {
    let machine = Machine::new();
    let login = machine.start("login --wait 30s");
    let code = machine.issuer.wait_for_user_code(crate::machine::PATIENCE).unwrap();
    machine.issuer.deny(&code);
    assert_eq!(login.wait_with_output().unwrap().status.code(), Some(4));
    let tokens = machine.sign_in(-1);
    machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    for _ in 0..3 {
        machine.command("get --interactive never --wait 20s").assert().code(3);
    }
    assert_eq!(actions(&machine), pairs(&[("sign_in", "denied"), ("renewal", "server")]));
}

#[test]
fn answers_are_logged_with_audit_all_and_nothing_with_none() {
    let (mut machine, tokens) = Machine::signed_in(864_000);
    machine.command("get").write_stdin(OURS).assert().success();
    assert!(!file(&machine).exists(), "a warm get writes nothing");
    configure(&mut machine, "audit = 'all'\n");
    machine.command("get").write_stdin(OURS).assert().success();
    machine.command("exec -- true").assert().success();
    machine.command("get").write_stdin("protocol=https\nhost=a.example\n").assert().success();
    machine.command("status").assert().success();
    assert_eq!(actions(&machine), pairs(&[("hand_out", "ok"), ("hand_out", "ok")]));
    assert_eq!(entries(&machine)[0]["token"], short_hash(&tokens.access_token));
    let written = fs::read_to_string(file(&machine)).unwrap();
    assert!(!written.contains(&tokens.access_token));
    configure(&mut machine, "audit = 'none'\n");
    machine.command("logout").assert().success();
    assert_eq!(actions(&machine).len(), 2);
    configure(&mut machine, "audit = 'most'\n");
    machine.command("get").assert().code(2).stderr(contains("changes"));
}

#[test]
fn unwritable_log_does_not_prevent_an_answer() {
    let (mut machine, tokens) = Machine::signed_in(864_000);
    configure(&mut machine, "audit = 'all'\n");
    fs::write(machine.path("state"), "not a directory").unwrap();
    let output = machine.command("get --format token").assert().success();
    output.stdout(format!("{}\n", tokens.access_token)).stderr(is_empty());
}

#[test]
fn audit_prints_rows_and_filters_by_time() {
    let (machine, _) = Machine::signed_in(-1);
    machine.token();
    eventually(|| machine.renewers().is_empty());
    let row = contains("renewal").count(1);
    let output = machine.command("audit").assert().success();
    output
        .stdout(row)
        .stdout(contains("ada@example.com"))
        .stdout(contains(format!("({})", std::process::id())));
    machine.command("audit --since 1h").assert().success().stdout(contains("renewal"));
    machine.command("audit --since 2999-01-01T00:00:00Z").assert().success().stdout(is_empty());
    machine.command("audit --since yesterday").assert().code(2);
}

#[test]
fn concurrent_writers_write_whole_lines_and_rotate_a_full_file_once() {
    let (mut machine, _) = Machine::signed_in(864_000);
    configure(&mut machine, "audit = 'all'\n");
    machine.token();
    let line = fs::read_to_string(file(&machine)).unwrap();
    let full = 1024 * 1024 / line.len();
    fs::write(file(&machine), line.repeat(full)).unwrap();
    machine.crowd(16);
    assert_eq!(entries(&machine).len(), full + 16);
    let logs = files(&machine.path("state"));
    assert_eq!(logs.iter().filter(|file| file.ends_with("audit.log.1")).count(), 1);
    let before = fs::read_to_string(file(&machine).with_extension("log.1")).unwrap();
    assert!(before.lines().count() > full);
}
