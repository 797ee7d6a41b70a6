//! Bazel's credential helper protocol: `get` with JSON on standard input.

use crate::gateway::{Gateway, HOST};
use crate::machine::{Machine, OURS};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

fn answer(mut command: Command, request: &str) -> Value {
    let output = command.write_stdin(request).assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn bearer(token: &str) -> Value {
    json!(format!("Bearer {token}"))
}

/// Two machines: on one the answering program answers, on the other it hands the call over to the full program.
fn machines() -> [(Machine, String); 2] {
    let (warm, tokens) = Machine::signed_in(864_000);
    let (mut cold, cold_tokens) = Machine::signed_in(864_000);
    // Only the full program writes a trace.
    let trace = cold.path("trace").to_str().unwrap().to_owned();
    cold.set("CODEX_CREDENTIAL_TRACE", &trace);
    [(warm, tokens.access_token), (cold, cold_tokens.access_token)]
}

#[test]
fn every_spelling_of_the_host_gets_the_token() {
    for (machine, token) in machines() {
        for uri in [
            "https://chatgpt.com",
            "https://chatgpt.com/backend-api/x?y=1#z",
            "https://chatgpt.com:443/cache",
            "https://chatgpt.com:/cache",
            "HTTPS://ChatGPT.com/",
            "hTTps://CHATGPT.COM:443",
            "https://chatgpt.com?x",
        ] {
            let answer = answer(machine.command("get"), &json!({ "uri": uri }).to_string());
            assert_eq!(answer["headers"]["Authorization"], json!([bearer(&token)]), "{uri}");
            assert!(answer["expires"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        }
    }
}

#[test]
fn white_space_escapes_and_other_members_are_accepted() {
    for (machine, token) in machines() {
        for request in [
            " {\"uri\":\"https://chatgpt.com\"}",
            "\t\r\n \n{ \"uri\" : \"https://chatgpt.com\" }\n\n",
            "{\"uri\":\"https:\\/\\/chatgpt.com\\/x\"}",
            "{\"more\": [{}], \"uri\":\"https://chatgpt.com\", \"headers\": {\"a\": [\"b\"]}}",
        ] {
            let answer = answer(machine.command("get"), request);
            assert_eq!(answer["headers"]["Authorization"][0], bearer(&token), "{request}");
        }
        // Longer than a pipe holds.
        let long = json!({"uri": "https://chatgpt.com", "more": "x".repeat(40_000)}).to_string();
        let answer = answer(machine.command("get"), &long);
        assert_eq!(answer["headers"]["Authorization"][0], bearer(&token));
    }
}

#[test]
fn other_hosts_get_an_empty_object_even_with_stored_git_credentials() {
    for (mut machine, token) in machines() {
        let home = machine.codex_home().to_str().unwrap().to_owned();
        machine.set("HOME", &home);
        let kept = "protocol=https\nhost=a.example\nusername=u\npassword=p\n\n";
        machine.command("store").write_stdin(kept).assert().success();
        for uri in [
            "https://a.example/",
            "https://chatgpt.com:8443/",
            "https://chatgpt.com:0443/",
            "https://chatgpt.com.:443/",
            "https://chatgpt%2ecom/",
            "http://chatgpt.com/",
            "http://chatgpt.com:443/",
            "https://evil.example\\@chatgpt.com/",
            "grpcs://chatgpt.com",
            "https://",
        ] {
            let request = json!({ "uri": uri }).to_string();
            assert_eq!(answer(machine.command("get"), &request), json!({}), "{uri} {token:.8}");
        }
    }
}

#[test]
fn json_without_a_uri_is_bad_input() {
    for (machine, _) in machines() {
        for bad in [
            "{",
            "{}",
            "{\"uri\":1}",
            "{\"uri\":null}",
            "{\"URI\":\"https://chatgpt.com\"}",
            "{\"uri\":\"chatgpt.com\"}",
            "{\"uri\":\"\"}",
            "{\"uri\":\"https://chatgpt.com\"} x",
            "{\"uri\":\"https://chatgpt.com/%0ahost=x\"}",
        ] {
            let output = machine.command("get").write_stdin(bad).assert().code(2);
            output.stdout(is_empty()).stderr(contains("the request is not Bazel's"));
        }
        let long = json!({"uri": "https://chatgpt.com", "more": "x".repeat(70_000)}).to_string();
        machine.command("get").write_stdin(long).assert().code(2).stdout(is_empty());
    }
}

#[test]
fn format_option_chooses_the_format_of_the_answer() {
    for (machine, token) in machines() {
        let get = |format: &str, uri: &str| {
            let mut command = machine.command(&format!("get --format {format}"));
            let request = json!({ "uri": uri }).to_string();
            let output = command.write_stdin(request).assert().success();
            String::from_utf8(output.get_output().stdout.clone()).unwrap()
        };
        assert_eq!(get("token", "HTTPS://chatgpt.com:443/"), format!("{token}\n"));
        assert_eq!(get("token", "https://a.example/"), "");
        let attributes = get("git", "https://chatgpt.com/x");
        assert!(
            attributes.starts_with("protocol=https\nhost=chatgpt.com\npath=x\n"),
            "{attributes}"
        );
    }
}

#[test]
fn without_a_login_no_sign_in_starts_and_the_hint_names_the_profile() {
    let machine = Machine::new();
    let request = json!({"uri": "https://chatgpt.com/"}).to_string();
    let failed = machine.command("get").write_stdin(request.as_str()).assert().code(3);
    failed.stdout(is_empty()).stderr(contains("run: codex-credential login\n"));
    assert_eq!(machine.issuer.counts().user_codes, 0);
    // The hint names the profile that has the host.
    let gateway = Gateway::new();
    let request = json!({"uri": format!("https://{HOST}/")}).to_string();
    let failed = gateway.machine.command("get").write_stdin(request).assert().code(3);
    failed.stdout(is_empty()).stderr(contains("run: codex-credential login --profile company\n"));
}

#[test]
fn expired_token_is_renewed_for_bazel() {
    let (machine, tokens) = Machine::signed_in(-1);
    let request = json!({"uri": "https://chatgpt.com:443/"}).to_string();
    let answer = answer(machine.command("get --wait 20s"), &request);
    assert_ne!(answer["headers"]["Authorization"][0], bearer(&tokens.access_token));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn host_chooses_the_profile() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let request = json!({"uri": format!("HTTPS://Gateway.example:443/x")}).to_string();
    let answer = answer(gateway.machine.command("get"), &request);
    assert_eq!(answer["headers"]["Authorization"][0], bearer(&token));
}

/// git may keep the pipe open after the blank line.
#[test]
fn blank_line_ends_a_git_request() {
    let (machine, tokens) = Machine::signed_in(864_000);
    for request in ["\n", OURS] {
        let mut command = machine.std_command("get --wait 20s");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut open = child.stdin.take().unwrap();
        open.write_all(request.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(answer.contains(&format!("password={}\n", tokens.access_token)), "{request:?}");
        drop(open);
    }
}

#[test]
fn bazel_is_not_a_format_name() {
    let output = Machine::new().command("get --format bazel").assert().code(2);
    output.stderr(contains("exec-credential").and(contains("docker").not()));
}
