//! The formats of an answer, `exec`, `export`, and the options of the sign-in prompt.

use crate::machine::{Machine, OURS, eventually};
use crate::terminal::run;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

#[test]
fn header_format_is_one_authorization_line() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("get --format header").assert().success();
    output.stdout(format!("Authorization: Bearer {}\n", tokens.access_token));
}

#[test]
fn headers_format_is_one_json_object() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("get --format headers").assert().success();
    let authorization = format!("Bearer {}", tokens.access_token);
    output.stdout(format!("{}\n", serde_json::json!({ "Authorization": authorization })));
}

#[test]
fn env_format_is_name_value_lines() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("get --format env").assert().success();
    let lines = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let lines: Vec<_> = lines.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(lines[0], ("CODEX_CREDENTIAL_TOKEN", tokens.access_token.as_str()));
    assert_eq!(lines[1].0, "CODEX_CREDENTIAL_EXPIRES_AT");
    assert_eq!(lines[2], ("CODEX_CREDENTIAL_ACCOUNT_ID", tokens.account_id.as_str()));
}

#[test]
fn exec_credential_has_the_version_that_kubectl_asks_for() {
    let (machine, tokens) = Machine::signed_in(3600);
    for version in ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] {
        let info = format!(r#"{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{}}}}"#);
        let mut command = machine.command("get --format exec-credential");
        let output = command.env("KUBERNETES_EXEC_INFO", info).write_stdin("no request").assert();
        let output = output.success();
        let answer: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        assert_eq!(answer["apiVersion"], version);
        assert_eq!(answer["kind"], "ExecCredential");
        assert_eq!(answer["status"]["token"], tokens.access_token);
        let end = answer["status"]["expirationTimestamp"].as_str().unwrap();
        assert!(end.parse::<jiff::Timestamp>().is_ok());
    }
}

#[test]
fn exec_sets_the_variables_and_returns_the_commands_exit_code() {
    let (machine, tokens) = Machine::signed_in(3600);
    let mut command = machine.command("exec --");
    let output =
        command.args(["sh", "-c", "printf %s \"$CODEX_CREDENTIAL_TOKEN\"; exit 7"]).assert();
    output.code(7).stdout(tokens.access_token.clone());
    let mut command = machine.command("exec --env A=token --env B=account_id --env C=email --");
    let script = "printf '%s|%s|%s|%s' \"$A\" \"$B\" \"$C\" \"$CODEX_CREDENTIAL_TOKEN\"";
    let expected = format!("{}|{}|ada@example.com|", tokens.access_token, tokens.account_id);
    command.args(["sh", "-c", script]).assert().success().stdout(expected);
    // exec leaves standard input to the command.
    let output = machine.command("exec -- cat").write_stdin(OURS).assert().success();
    output.stdout(OURS);
    let output = machine.command("exec -- /no/such/program").assert().code(2);
    output.stderr(contains("/no/such/program"));
    for bad in ["A", "1A=token", "A=refresh_token", "=token"] {
        machine.command(&format!("exec --env {bad} -- true")).assert().code(2);
    }
}

#[test]
fn export_leaves_out_the_refresh_token() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("export").assert().success();
    let auth_json: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(auth_json["tokens"]["access_token"], tokens.access_token);
    output.stdout(contains(tokens.refresh_token.as_str()).not());
}

#[test]
fn exec_without_a_token_runs_nothing() {
    let machine = Machine::new();
    let output = machine.command("exec --interactive never -- echo ran").assert().code(3);
    output.stdout(is_empty());
}

#[test]
fn rejected_sha256_of_the_stored_token_renews_it() {
    let (machine, tokens) = Machine::signed_in(3600);
    let sha256 = |token: &str| -> String {
        let digits: Vec<_> = Sha256::digest(token).iter().map(|b| format!("{b:02X}")).collect();
        digits.concat()
    };
    let get = |hex: &str| {
        let mut command = machine.command(&format!("get --format token --rejected-sha256 {hex}"));
        let output = command.assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap().trim_end().to_owned()
    };
    assert_eq!(get(&sha256("another token")), tokens.access_token);
    let renewed = get(&sha256(&tokens.access_token));
    assert_ne!(renewed, tokens.access_token);
    assert_eq!(
        get(&sha256(&tokens.access_token)),
        renewed,
        "the rejected token is no longer stored"
    );
    assert_eq!(machine.issuer.counts().refreshes, 1);
    for bad in ["x", "abcd"] {
        let output = machine.command(&format!("get --rejected-sha256 {bad}")).assert().code(2);
        output.stderr(contains("64 hex digits"));
    }
}

/// Decodes the blocks as a camera sees them: black on white.
#[test]
fn qr_option_shows_a_code_that_decodes_to_the_url() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "login --qr");
    machine.approve_next();
    let shown = terminal.exp_string("signed in as ada@example.com").unwrap();
    // rexpect returns each byte as a character.
    let shown = shown.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let shown = String::from_utf8(shown).unwrap();
    let row = |line: &str| {
        let (_, row) = line.split_once("\u{1b}[38;5;16;48;5;231m")?;
        Some(row.split('\u{1b}').next()?.chars().collect())
    };
    let rows: Vec<Vec<char>> = shown.lines().filter_map(row).collect();
    let (width, scale) = (rows[0].len(), 4);
    let is_black = |x: usize, y: usize| {
        let (x, y) = (x / scale, y / scale);
        match rows[y / 2][x] {
            '\u{2588}' => true,
            '\u{2580}' => y % 2 == 0,
            '\u{2584}' => y % 2 == 1,
            _ => false,
        }
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(
        width * scale,
        rows.len() * 2 * scale,
        |x, y| if is_black(x, y) { 0 } else { 255 },
    );
    let url = format!("{}/codex/device", machine.issuer.url());
    assert_eq!(image.detect_grids()[0].decode().unwrap().1, url);
}

#[test]
fn open_option_opens_the_page_in_a_browser() {
    let machine = Machine::new();
    let (browser, opened) = (machine.path("xdg-open"), machine.path("opened"));
    let script = format!("#!/bin/sh\necho \"$*\" >'{}'\n", opened.display());
    fs::write(&browser, script).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = machine.std_command("login --open --wait 30s");
    let login = command.env("PATH", machine.codex_home()).spawn().unwrap();
    eventually(|| fs::read_to_string(&opened).is_ok_and(|text| text.ends_with('\n')));
    // The URL contains no code: the user types the code.
    let page = format!("{}/codex/device\n", machine.issuer.url());
    assert_eq!(fs::read_to_string(opened).unwrap(), page);
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
}

#[test]
fn open_option_without_a_browser_prints_the_url() {
    let machine = Machine::new();
    let mut command = machine.std_command("login --open --wait 30s");
    command.env("PATH", machine.codex_home()).stderr(Stdio::piped());
    let login = command.spawn().unwrap();
    machine.approve_next();
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("browser") && text.contains("/codex/device"), "{text}");
}

#[test]
fn answer_in_each_format_contains_no_refresh_token() {
    let (machine, tokens) = Machine::signed_in(3600);
    for format in ["git", "token", "json", "header", "env", "exec-credential"] {
        let output = machine.command(&format!("get --format {format}")).assert().success();
        let has_token = contains(tokens.access_token.as_str());
        output.stdout(has_token.and(contains(tokens.refresh_token.as_str()).not()));
    }
}
