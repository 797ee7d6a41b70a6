//! `status --check` and `status --usage`: what a server says about the session, and what follows.

use crate::gateway::Gateway;
use crate::machine::{Machine, ada};
use crate::raw_server::RawServer;
use crate::terminal;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, Mutex};

/// ChatGPT's backend, which answers each request with this status and body, and records the heads of the requests.
struct Backend {
    server: RawServer,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    fn answering(status: u16, body: &str) -> Self {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, body) = (heads.clone(), body.to_owned());
        let server = RawServer::start(move |connection| {
            seen.lock().unwrap().push(connection.head.clone());
            connection.send(format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        });
        Self { server, heads }
    }

    fn configure(&self, machine: &Machine) {
        let url = &self.server.url;
        let config = format!("chatgpt_base_url = \"{url}/backend-api/\"\n");
        fs::write(machine.path("config.toml"), config).unwrap();
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn status(machine: &Machine, options: &str) -> (Option<i32>, Value, String) {
    let output = machine.command(&format!("status --json {options}")).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), json, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn session_is_usable_where_the_backend_accepts_what_codex_asks_first() {
    let backend = Backend::answering(200, "{}");
    let (machine, tokens) = Machine::signed_in(3600);
    backend.configure(&machine);
    let (code, json, _) = status(&machine, "--check");
    assert_eq!((code, &json["session"]["state"]), (Some(0), &json!("usable")), "{json}");
    let heads = backend.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("get /backend-api/wham/accounts/check http/1.1"), "{heads:?}");
    let token = tokens.access_token.to_ascii_lowercase();
    assert!(heads[0].contains(&format!("authorization: bearer {token}")));
    assert!(heads[0].contains(&format!("chatgpt-account-id: {}", tokens.account_id)));
    let output = machine.command("status --check").assert().code(0);
    output.stdout(contains("session     usable: 127.0.0.1"));
}

#[test]
fn refused_session_exits_with_3_and_an_unreachable_one_with_1() {
    for (status_code, body, state, code, says) in [
        (401, r#"{"error":{"code":"token_revoked"}}"#, "refused", 3, "codex-credential login"),
        (403, r#"{"detail":{"code":"deactivated_workspace"}}"#, "refused", 4, "administrator"),
        (403, "<html>blocked", "unreachable", 1, "hint: "),
        (500, "", "unreachable", 1, "try again later"),
        (429, "{}", "unreachable", 1, "hint: "),
        (404, "{}", "not_checked", 1, ""),
    ] {
        let backend = Backend::answering(status_code, body);
        let (machine, _) = Machine::signed_in(3600);
        backend.configure(&machine);
        let before = machine.auth_json();
        let (exit, json, _) = status(&machine, "--check");
        assert_eq!((exit, &json["session"]["state"]), (Some(code), &json!(state)), "{body}");
        machine.command("status --check").assert().code(code).stderr(contains(says));
        assert_eq!(machine.auth_json(), before);
    }
    let (machine, _) = Machine::signed_in(3600);
    let config = "chatgpt_base_url = 'http://127.0.0.1:9/backend-api'";
    fs::write(machine.path("config.toml"), config).unwrap();
    let (exit, json, _) = status(&machine, "--check");
    assert_eq!((exit, &json["session"]["state"]), (Some(1), &json!("unreachable")));
}

#[test]
fn expired_token_is_renewed_before_the_check() {
    let backend = Backend::answering(200, "{}");
    let (machine, _) = Machine::signed_in(-1);
    backend.configure(&machine);
    assert_eq!(status(&machine, "--check --usage").0, Some(0));
    assert_eq!(machine.issuer.counts().refreshes, 1);
    let (machine, tokens) = Machine::signed_in(-1);
    backend.configure(&machine);
    machine.issuer.expire_refresh_token(&tokens.refresh_token);
    let output = machine.command("status --check").assert().code(3);
    output
        .stdout(contains("Signed out: the login has ended (").and(contains("session     refused")));
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn token_is_sent_to_no_other_host_than_chatgpts() {
    let (machine, _) = Machine::signed_in(3600);
    for config in ["chatgpt_base_url = 'https://evil.example/backend-api'", ""] {
        fs::write(machine.path("config.toml"), config).unwrap();
        let (code, json, _) = status(&machine, "--check --usage");
        assert_eq!((code, &json["session"]["state"]), (Some(1), &json!("not_checked")), "{json}");
        assert_eq!(json["usage"], Value::Null);
    }
}

#[test]
fn userinfo_confirms_the_session_of_other_issuers() {
    for (status_code, body, code, state) in [
        (200, r#"{"sub":"ada"}"#, 0, "usable"),
        (401, r#"{"error":"invalid_token"}"#, 3, "refused"),
        // The scope does not cover it.
        (403, r#"{"error":"insufficient_scope"}"#, 1, "not_checked"),
    ] {
        let backend = Backend::answering(status_code, body);
        let url = format!("userinfo_endpoint = \"{}/userinfo\"", backend.server.url);
        let gateway = Gateway::with(&url, |_| {});
        assert_eq!(gateway.sign_in_as(&ada(), "").0, Some(0));
        let output = gateway.command("status --check --json").output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = (output.status.code(), &json["session"]["state"]);
        assert_eq!(found, (Some(code), &json!(state)), "{json}");
        assert!(backend.heads().last().unwrap().starts_with("get /userinfo http/1.1"));
    }
}

#[test]
fn login_on_a_terminal_confirms_the_session_at_its_end() {
    for (status_code, body, says) in [
        (200, "{}", "the session is usable: 127.0.0.1"),
        (401, r#"{"error":{"code":"token_revoked"}}"#, "the session is refused: 127.0.0.1"),
    ] {
        let backend = Backend::answering(status_code, body);
        let machine = Machine::new();
        backend.configure(&machine);
        let mut terminal = terminal::run(&machine, "login");
        machine.approve_next();
        terminal.exp_string("signed in as ada@example.com").unwrap();
        terminal.exp_string(says).unwrap();
        assert_eq!(backend.heads().len(), 1);
    }
    // Without a terminal, a program reads what happened, and nothing is asked.
    let backend = Backend::answering(200, "{}");
    let machine = Machine::new();
    backend.configure(&machine);
    let login = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    assert!(backend.heads().is_empty());
}

#[test]
fn usage_shows_the_limits_and_is_asked_only_on_request() {
    let body = json!({
        "plan_type": "plus",
        "rate_limit": {
            "allowed": true, "limit_reached": false,
            "primary_window": {"used_percent": 6, "limit_window_seconds": 18_000, "reset_after_seconds": 60, "reset_at": 4_000_000_000_u32},
            "secondary_window": {"used_percent": 24, "limit_window_seconds": 604_800, "reset_at": 4_000_000_000_u32},
        },
        "credits": {"has_credits": true, "unlimited": false, "balance": "5.39"},
    });
    let backend = Backend::answering(200, &body.to_string());
    let (machine, _) = Machine::signed_in(3600);
    backend.configure(&machine);
    for command in ["get", "status", "status --json", "renew", "token"] {
        machine.command(command).assert().success();
    }
    assert!(backend.heads().is_empty());
    let (code, json, _) = status(&machine, "--usage");
    assert_eq!((code, &json["usage"]["limits"][1]["used_percent"]), (Some(0), &json!(24.0)));
    assert_eq!(json["usage"]["plan"], "plus");
    assert!(backend.heads()[0].starts_with("get /backend-api/wham/usage http/1.1"));
    let output = machine.command("status --usage").assert().success();
    output.stdout(
        contains("limit       5 h: 6 % used, resets at 2096-").and(contains("credits     5.39")),
    );
}

#[test]
fn usage_in_another_form_is_unknown_and_no_failure() {
    for (status_code, body) in [(200, "{}"), (200, "[1]"), (200, "<html>"), (500, ""), (401, "{}")]
    {
        let backend = Backend::answering(status_code, body);
        let (machine, _) = Machine::signed_in(3600);
        backend.configure(&machine);
        let (code, json, _) = status(&machine, "--usage");
        assert_eq!((code, &json["usage"]), (Some(0), &Value::Null), "{status_code} {body}");
        machine
            .command("status --usage")
            .assert()
            .code(0)
            .stdout(contains("limits      unknown: "));
    }
}
