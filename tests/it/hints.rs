//! Each command in a hint means the login of the failed command, if it is run as it stands: it names the profile and the
//! account that the user named, or that follow from the request.

use crate::gateway::{Gateway, REQUEST};
use crate::machine::{Machine, PATIENCE, told};
use issuer::{Endpoint, Fault};
use std::process::Output;

fn run(gateway: &Gateway, line: &str, input: &str) -> Output {
    gateway.machine.command(line).write_stdin(input).output().unwrap()
}

/// Asserts that the hint and the member `command` of the error end in `command`.
fn assert_command(output: &Output, command: &str) {
    let error = told(output);
    assert_eq!(error["command"], command, "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.ends_with(&format!(", run: {command}")), "{hint}");
}

#[test]
fn command_names_what_the_user_named() {
    let gateway = Gateway::new();
    let login = "codex-credential login";
    for (options, named) in [
        ("", ""),
        ("--profile codex", " --profile codex"),
        ("--account ada@example.com", " --account ada@example.com"),
        ("--profile company", " --profile company"),
        ("--account it's --profile company", r" --profile company --account 'it'\''s'"),
    ] {
        let line = format!("token --interactive never --error-format json {options}");
        assert_command(&run(&gateway, &line, ""), &format!("{login}{named}"));
    }
    let config = gateway.config();
    let line = format!("token --config {} --profile company", config.display());
    let output = run(&gateway, &format!("{line} --interactive never --error-format json"), "");
    let named = format!("--config {} --profile company", config.display());
    assert_command(&output, &format!("{login} {named}"));
}

#[test]
fn command_of_a_request_by_host_signs_in_at_the_issuer_of_that_host() {
    let gateway = Gateway::new();
    let output = run(&gateway, "get --interactive never --error-format json", REQUEST);
    assert_command(&output, "codex-credential login --profile company");
    let command = told(&output)["command"].as_str().unwrap().to_owned();
    let login = gateway.machine.start(command.strip_prefix("codex-credential ").unwrap());
    gateway.machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    let answer = run(&gateway, "get", REQUEST);
    assert!(String::from_utf8(answer.stdout).unwrap().contains("username=ada@example.com\n"));
}

#[test]
fn command_names_the_account_of_the_request() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let tokens = std::fs::read_to_string(&gateway.logins()[0]).unwrap();
    let login: serde_json::Value = serde_json::from_str(&tokens).unwrap();
    gateway.machine.issuer.invalidate_refresh_token(login["refresh_token"].as_str().unwrap());
    gateway.erase(&token);
    let request = REQUEST.replace("\n\n", "\nusername=ada@example.com\n\n");
    let line = "get --interactive never --wait 30s --error-format json";
    let output = run(&gateway, line, &request);
    let named = "--profile company --account ada@example.com";
    assert_command(&output, &format!("codex-credential login {named}"));
}

#[test]
fn profile_of_the_environment_is_named_and_the_default_profile_is_not() {
    let mut gateway = Gateway::new();
    let line = "token --interactive never --error-format json";
    gateway.machine.set("CODEX_CREDENTIAL_PROFILE", "company");
    assert_command(&run(&gateway, line, ""), "codex-credential login --profile company");
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    gateway.write_config(&format!("default_profile = \"company\"\n{text}"));
    assert_command(&run(&gateway, line, ""), "codex-credential login");
}

#[test]
fn hints_of_a_sign_in_name_the_profile() {
    let gateway = Gateway::new();
    let issuer = &gateway.machine.issuer;
    let caller = gateway.start("login --wait 60s --error-format json");
    issuer.deny(&issuer.wait_for_user_code(PATIENCE).unwrap());
    let output = caller.wait_with_output().unwrap();
    assert_command(&output, "codex-credential login --profile company");
    let caller = gateway.start("login --json --wait 60s");
    issuer.deny(&issuer.wait_for_user_code(PATIENCE).unwrap());
    let events = String::from_utf8(caller.wait_with_output().unwrap().stdout).unwrap();
    let denied: serde_json::Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    assert_eq!(denied["error"]["command"], "codex-credential login --profile company");
}

#[test]
fn status_and_doctor_name_the_profile() {
    let gateway = Gateway::new();
    let status = run(&gateway, "status --profile company", "");
    let text = String::from_utf8(status.stderr).unwrap();
    assert_eq!(text, "hint: to sign in, run: codex-credential login --profile company\n");
    let doctor = run(&gateway, "doctor --profile company", "");
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(
        text.contains("; to sign in, run: codex-credential login --profile company\n"),
        "{text}"
    );
}

/// A failure is recorded for other callers, which may name the login in another way.
#[test]
fn recorded_failure_is_shown_with_the_options_of_its_reader() {
    let gateway = Gateway::new();
    let issuer = &gateway.machine.issuer;
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    let twin = text
        .replace("[profiles.company]", "[profiles.twin]")
        .replace("gateway.example", "twin.example");
    gateway.write_config(&format!("{text}{twin}"));
    let caller = gateway.start("login --wait 60s");
    issuer.deny(&issuer.wait_for_user_code(PATIENCE).unwrap());
    drop(caller.wait_with_output().unwrap());
    let doctor = run(&gateway, "doctor --profile twin", "");
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(text.contains("to try again, run: codex-credential login --profile twin\n"), "{text}");
}

#[test]
fn logout_of_a_company_names_its_issuer_and_not_chatgpt() {
    let gateway = Gateway::new();
    gateway.sign_in();
    gateway.machine.issuer.fault(Endpoint::Revoke, Fault::Drop, u32::MAX);
    let output = run(&gateway, "logout --profile company", "");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let host = gateway.machine.issuer.url().replace("http://", "");
    assert!(text.contains(&format!("hint: end the session in your account at {host}")), "{text}");
    assert!(!text.contains("ChatGPT"), "{text}");
    // Codex's own login is ended in ChatGPT.
    let (machine, _) = Machine::signed_in(3600);
    machine.issuer.fault(Endpoint::Revoke, Fault::Drop, u32::MAX);
    let output = machine.command("logout").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("ChatGPT"));
}
