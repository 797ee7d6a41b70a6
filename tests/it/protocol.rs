//! git's credential protocol on standard input and output.

use crate::machine::{Machine, OURS};
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::Value;

#[test]
fn get_answers_with_user_name_password_and_expiry() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("get").write_stdin(OURS).assert().success();
    let output = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let lines: Vec<_> = output.lines().collect();
    let password = format!("password={}", tokens.access_token);
    assert_eq!(
        lines[..4],
        ["protocol=https", "host=chatgpt.com", "username=ada@example.com", &password]
    );
    let expiry: i64 = lines[4].strip_prefix("password_expiry_utc=").unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&(expiry - codex_credential::clock::now())));
    assert_eq!(lines.len(), 5);
}

#[test]
fn caller_with_authtype_gets_an_ephemeral_bearer_credential() {
    let (machine, tokens) = Machine::signed_in(3600);
    let request = format!("capability[]=authtype\ncapability[]=state\n{OURS}");
    let credential = format!("credential={}\n", tokens.access_token);
    let output = machine.command("get").write_stdin(request).assert().success();
    output
        .stdout(predicate::str::starts_with("capability[]=authtype\nauthtype=Bearer\n"))
        .stdout(contains(credential).and(contains("\nephemeral=1\n")))
        .stdout(contains("password=").not().and(contains("username=").not()));
}

#[test]
fn host_outside_the_profile_gets_an_empty_answer() {
    let (machine, _) = Machine::signed_in(3600);
    for request in [
        "protocol=https\nhost=github.com\n",
        "protocol=http\nhost=chatgpt.com\n",
        "protocol=https\nhost=chatgpt.com.evil.example\n",
        "url=https://chatgpt.com@evil.example/\n",
        "host=chatgpt.com\n",
        "path=x\n",
        "username=ada@example.com\n",
        "protocol=https\nhost=chatgpt.com\nusername=someone.else@example.com\n",
    ] {
        let output = machine.command("get").write_stdin(request).assert();
        output.success().stdout(is_empty()).stderr(is_empty());
    }
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
}

#[test]
fn url_attribute_names_the_host() {
    let (machine, _) = Machine::signed_in(3600);
    let request = "host=evil.example\nurl=https://chatgpt.com/a%20b\n";
    let output = machine.command("get").write_stdin(request).assert().success();
    output.stdout(predicate::str::starts_with("protocol=https\nhost=chatgpt.com\npath=a b\n"));
}

#[test]
fn empty_request_gets_the_default_profiles_token() {
    let (machine, tokens) = Machine::signed_in(3600);
    machine.command("get").assert().success().stdout(contains("password="));
    assert_eq!(machine.token(), tokens.access_token);
}

#[test]
fn request_that_names_something_never_gets_the_default_token() {
    let (machine, _) = Machine::signed_in(3600);
    for input in [
        "protocol=https\nHost=evil.example\n",
        "path=x\nhostname=chatgpt.com\n",
        "ephemeral=1\n",
        "state[]=x\n",
        "capability[]=authtype\ncapability[]=state\n",
        "capability[]=\n\n",
        "\u{feff}capability[]=unknown\n",
        "{\"uri\": \"https://evil.example\"}",
        "\u{feff}protocol=https\nhost=evil.example\n",
        "\u{feff}{\"uri\": \"https://evil.example\"}",
    ] {
        let output = machine.command("get").write_stdin(input).output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(!answer.contains("password="), "{input:?}");
    }
    let with_mark = machine.command("get").write_stdin(format!("\u{feff}{OURS}")).assert();
    with_mark.success().stdout(contains("password="));
}

#[test]
fn json_answer_has_account_and_expiry() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("get --format json").assert().success();
    let answer: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(answer["access_token"], tokens.access_token);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["account_id"], tokens.account_id);
    assert_eq!(answer["email"], "ada@example.com");
    assert_eq!(answer["plan"], "plus");
    let expires_in = answer["expires_in"].as_i64().unwrap();
    let expires_at: jiff::Timestamp = answer["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&expires_in));
    let difference = expires_at.as_second() - codex_credential::clock::now() - expires_in;
    assert!(difference.abs() <= 1);
}

#[test]
fn answer_never_contains_the_refresh_token() {
    let (machine, tokens) = Machine::signed_in(3600);
    for format in ["git", "token", "json"] {
        let output = machine.command(&format!("get --format {format}")).assert().success();
        output.stdout(contains(tokens.refresh_token.as_str()).not());
    }
}

#[test]
fn capabilities_are_printed_and_unknown_commands_succeed() {
    let machine = Machine::new();
    let output = machine.command("capability").assert().success();
    output.stdout("version 0\ncapability authtype\ncapability state\n");
    let output = machine.command("frobnicate --now").write_stdin(OURS).assert();
    output.success().stdout(is_empty()).stderr(is_empty());
}

#[test]
fn bad_input_is_reported_with_its_line_and_changes_nothing() {
    let (machine, _) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let long = format!("path={}\n", "x".repeat(65_531));
    for (input, prefix) in [
        ("protocol=https\nhost\n", "line 2: "),
        ("=x\n", "line 1: "),
        ("protocol=https\0\n", "line 1: "),
        ("protocol=https\rx\n", "line 1: "),
        ("url=https://chatgpt.com/%0ahost=x\n", "line 1: "),
        ("url=chatgpt.com\n", "line 1: "),
        (&long, "line 1: "),
        // Unknown attributes alone, and white space before the first one.
        ("Host=evil.example\n", "line 1: "),
        ("PROTOCOL=https\nHOST=evil.example\n", "line 1: "),
        ("hostname=evil.example\n", "line 1: "),
        ("URL=https://evil.example\n\n", "line 1: "),
        ("capability[]=authtype\nserver=evil.example\n", "line 2: "),
        ("\nprotocol=https\nhost=evil.example\n", "line 1: "),
        ("\r\nhost=evil.example\n", "line 1: "),
    ] {
        for operation in ["get", "store", "erase"] {
            let output = machine.command(operation).write_stdin(input).assert().code(2);
            let line = predicate::str::starts_with(format!("codex-credential: {prefix}"));
            let hint = contains("\nhint: ").count(1).and(contains("\n").count(2));
            output.stdout(is_empty()).stderr(line.and(contains("\n").count(1).or(hint)));
        }
    }
    assert_eq!(machine.auth_json(), before);
}

#[test]
fn error_format_json_prints_errors_as_json() {
    let machine = Machine::new();
    let output = machine.command("get --error-format json").write_stdin("x\n").assert().code(2);
    let error: Value = serde_json::from_slice(&output.get_output().stderr).unwrap();
    assert_eq!(error["kind"], "bad_input");
    assert!(error["message"].as_str().unwrap().starts_with("line 1: "), "{error}");
}

#[test]
fn wrong_option_or_variable_is_a_usage_error() {
    let machine = Machine::new();
    machine.command("get --wait soon").assert().code(2).stderr(contains("--wait"));
    machine.command("get --bogus").assert().code(2);
    for url in ["http://auth.example", "http://127.0.0.1@evil.example", "nonsense"] {
        let output = machine.command("get").env("CODEX_CREDENTIAL_ISSUER", url).assert().code(2);
        output.stderr(contains("CODEX_CREDENTIAL_ISSUER"));
    }
}
