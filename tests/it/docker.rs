//! Docker's credential helper protocol: the program called as `docker-credential-codex-credential`.

use crate::gateway::Gateway;
use crate::machine::Machine;
use predicates::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

pub const NOT_FOUND: &str = "credentials not found in native keychain\n";
const NAME: &str = "docker-credential-codex-credential";

/// Makes a link to the program in another folder.
fn link(machine: &Machine) -> PathBuf {
    let link = machine.path("links").join(NAME);
    if !link.is_symlink() {
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(assert_cmd::cargo::cargo_bin!("codex-credential"), &link).unwrap();
    }
    link
}

/// Returns the exit code and the standard output.
pub fn docker(machine: &Machine, action: &str, input: impl AsRef<[u8]>) -> (Option<i32>, String) {
    run(machine, &[action], input)
}

fn run(machine: &Machine, words: &[&str], input: impl AsRef<[u8]>) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(link(machine));
    command.args(words).env_clear();
    for (name, value) in machine.std_command("").get_envs() {
        command.env(name, value.unwrap());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may answer before it has read all input.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn credentials(machine: &Machine, server: &str) -> Value {
    let (code, answer) = docker(machine, "get", server);
    assert_eq!(code, Some(0), "{server:?}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn every_spelling_of_the_host_gets_the_token() {
    for is_traced in [false, true] {
        let (mut machine, tokens) = Machine::signed_in(864_000);
        if is_traced {
            // The full program answers, called by the same name.
            let trace = machine.path("trace").to_str().unwrap().to_owned();
            machine.set("CODEX_CREDENTIAL_TRACE", &trace);
        }
        for server in [
            "chatgpt.com",
            "chatgpt.com\n",
            " chatgpt.com \r\n",
            "chatgpt.com:443",
            "ChatGPT.com/v2/",
            "https://chatgpt.com",
            "https://chatgpt.com:443/v1/",
            "HTTPS://CHATGPT.com/v2",
            "https://chat\ngpt.com",
        ] {
            let answer = credentials(&machine, server);
            let joined: String = server.lines().collect();
            let expected = json!({
                "ServerURL": joined.trim(), "Username": "ada@example.com", "Secret": tokens.access_token,
            });
            assert_eq!(answer, expected, "{server:?}");
        }
    }
}

#[test]
fn other_hosts_are_not_found_even_with_stored_git_credentials() {
    let (mut machine, _) = Machine::signed_in(864_000);
    let home = machine.codex_home().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    let kept = "protocol=https\nhost=example.org\nusername=u\npassword=p\n\n";
    machine.command("store").write_stdin(kept).assert().success();
    for server in [
        "example.org",
        "https://example.org/v1/",
        "http://chatgpt.com",
        "chatgpt.com:8443",
        "chatgpt.com.",
        "chatgpt%2ecom",
        "x@chatgpt.com",
        "chatgpt.com@evil.example",
        "evil.example/chatgpt.com",
        "://chatgpt.com",
        "https://",
        "chatgpt.com\0",
        "{\"ServerURL\":\"https://chatgpt.com\"}",
    ] {
        assert_eq!(docker(&machine, "get", server), (Some(1), NOT_FOUND.into()), "{server:?}");
    }
    for empty in ["", " \n\t\r\n"] {
        let missing = "no credentials server URL\n";
        assert_eq!(docker(&machine, "get", empty), (Some(1), missing.into()));
        assert_eq!(docker(&machine, "erase", empty), (Some(1), missing.into()));
    }
    for odd in [b"chatgpt.com\xff".as_slice(), &b"x".repeat(1 << 20)] {
        let (code, answer) = docker(&machine, "get", odd);
        assert!(code == Some(1) && answer.starts_with("cannot read the input: "), "{answer}");
    }
}

#[test]
fn store_and_erase_change_nothing_and_hint_at_the_command() {
    let (machine, tokens) = Machine::signed_in(3600);
    for (input, says) in [
        (
            json!({"ServerURL": "chatgpt.com", "Username": "u", "Secret": "s3cret"}),
            "run: codex-credential login",
        ),
        (
            json!({"ServerURL": "", "Username": "u", "Secret": "s3cret"}),
            "no credentials server URL\n",
        ),
        (json!({"Username": "", "Secret": "s3cret"}), "no credentials server URL\n"),
        (json!({"ServerURL": "a.example", "Secret": "s3cret"}), "no credentials username\n"),
        (json!("s3cret"), "the credentials to store are not JSON\n"),
    ] {
        let (code, answer) = docker(&machine, "store", input.to_string());
        assert_eq!(code, Some(1));
        assert!(answer.contains(says) && !answer.contains("s3cret"), "{answer}");
        assert!(!says.ends_with('\n') || answer == says, "{answer}");
    }
    let (code, answer) = docker(&machine, "erase", "chatgpt.com");
    assert!(code == Some(1) && answer.contains("run: codex-credential logout"), "{answer}");
    assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens.access_token);
}

#[test]
fn list_names_the_hosts_of_the_login() {
    let machine = Machine::new();
    assert_eq!(docker(&machine, "list", "unused"), (Some(0), "{}\n".into()));
    machine.sign_in(3600);
    let (code, answer) = docker(&machine, "list", "unused");
    assert_eq!((code, answer.as_str()), (Some(0), "{\"chatgpt.com\":\"ada@example.com\"}\n"));
}

#[test]
fn version_usage_and_unknown_actions_read_like_dockers_helpers() {
    let machine = Machine::new();
    let version = format!("{NAME} (codex-credential) {}\n", env!("CARGO_PKG_VERSION"));
    for word in ["version", "--version", "-v"] {
        assert_eq!(docker(&machine, word, ""), (Some(0), version.clone()));
    }
    let usage = format!("Usage: {NAME} <store|get|erase|list|version>\n");
    for word in ["--help", "-h"] {
        assert_eq!(docker(&machine, word, ""), (Some(0), usage.clone()));
    }
    for words in [&[][..], &["get", "x"], &["get", "--format", "token"], &["--profile", "x", "get"]]
    {
        assert_eq!(run(&machine, words, ""), (Some(1), usage.clone()), "{words:?}");
    }
    for word in ["x", "", "status", "GET", "renew"] {
        let unknown = format!("{NAME}: unknown action: {word}\n");
        assert_eq!(docker(&machine, word, ""), (Some(1), unknown));
    }
}

#[test]
fn failure_is_one_line_on_standard_output() {
    let mut machine = Machine::new();
    machine.set("CODEX_CREDENTIAL_INTERACTIVE", "never");
    let (code, answer) = docker(&machine, "get", "chatgpt.com");
    assert_eq!((code, answer.lines().count()), (Some(1), 1), "{answer}");
    assert!(
        answer.contains("nobody is signed in") && answer.contains("codex-credential login"),
        "{answer}"
    );
    machine.set("CODEX_CREDENTIAL_INTERACTIVE", "auto");
    let (code, answer) = docker(&machine, "get", "chatgpt.com");
    assert!(code == Some(1) && answer.contains("/codex/device with the code "), "{answer}");
}

#[test]
fn expired_token_is_renewed_for_docker() {
    let (machine, tokens) = Machine::signed_in(-1);
    let answer = credentials(&machine, "chatgpt.com");
    assert_ne!(answer["Secret"], tokens.access_token);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn host_chooses_the_profile() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    assert_eq!(credentials(&gateway.machine, "gateway.example")["Secret"], token);
    let mut machine = gateway.machine;
    machine.set("CODEX_CREDENTIAL_PROFILE", "company");
    assert_eq!(docker(&machine, "get", "chatgpt.com"), (Some(1), NOT_FOUND.into()));
    let (_, listed) = docker(&machine, "list", "");
    assert!(listed.starts_with("{\"gateway.example\":\""), "{listed}");
}

#[test]
fn copy_beside_the_full_program_answers() {
    let (machine, tokens) = Machine::signed_in(3600);
    let bin = machine.path("bin");
    fs::create_dir(&bin).unwrap();
    let built = assert_cmd::cargo::cargo_bin!("codex-credential");
    let program = crate::configure::install(built.parent().unwrap(), &bin);
    let copy = bin.join(NAME);
    fs::hard_link(program, &copy).unwrap();
    let mut command = assert_cmd::Command::new(copy);
    for (name, value) in machine.std_command("").get_envs() {
        command.env(name, value.unwrap());
    }
    let token = predicates::str::contains(tokens.access_token.as_str());
    command
        .arg("get")
        .write_stdin("chatgpt.com")
        .assert()
        .success()
        .stdout(token.and(predicates::str::starts_with("{\"ServerURL\":")));
}

#[test]
fn missing_full_program_is_reported_on_standard_output() {
    let (machine, _) = Machine::signed_in(-1);
    let bin = machine.path("bin");
    fs::create_dir(&bin).unwrap();
    let copy = bin.join(NAME);
    fs::copy(assert_cmd::cargo::cargo_bin!("codex-credential"), &copy).unwrap();
    let mut command = assert_cmd::Command::new(copy);
    command.arg("get").write_stdin("chatgpt.com").env("HOME", &bin);
    let error = predicates::str::starts_with("cannot run codex-credential-full: ");
    let hint = "install codex-credential-full in the folder of codex-credential\n";
    command.assert().code(1).stdout(error.and(predicates::str::ends_with(hint))).stderr("");
}
