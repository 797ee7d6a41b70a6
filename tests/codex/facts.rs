//! What this program and its documents rely on in Codex, one fact per test. After a change of the version in
//! .ci/install-codex, the names of the failed tests say which facts differ; `docs/codex.md` has to follow.

use crate::app_server::AppServer;
use crate::codex;
use crate::machine::{Machine, eventually, lock};
use issuer::{Endpoint, Entry, Fault};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn configured() -> Machine {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine
}

fn requests(machine: &Machine, path: &str) -> Vec<Entry> {
    machine.issuer.log().into_iter().filter(|entry| entry.path == path).collect()
}

/// Gives Codex a token command, the shell script `script`, with these lines of TOML in its table.
fn with_token_command(script: &str, lines: &str) -> Machine {
    let machine = configured();
    let (url, config) = (machine.issuer.url(), machine.path("config.toml"));
    let own = fs::read_to_string(&config).unwrap();
    let auth = format!("command = 'sh'\nargs = ['token.sh', 'same']\n{lines}");
    let provider = format!(
        "model_provider = 'own'\n{own}[model_providers.own]\nname = 'own'\nbase_url = '{url}/v1'\n\
         wire_api = 'responses'\n[model_providers.own.auth]\n{auth}\n"
    );
    fs::write(config, provider).unwrap();
    fs::write(machine.path("token.sh"), script).unwrap();
    machine
}

pub fn login_uses_the_device_endpoints_and_writes_a_private_auth_json() {
    let machine = configured();
    codex::login(&machine);
    let paths: Vec<String> = machine.issuer.log().into_iter().map(|entry| entry.path).collect();
    for path in ["usercode", "token"].map(|name| format!("/api/accounts/deviceauth/{name}")) {
        assert!(paths.contains(&path), "{paths:?}");
    }
    let mode = fs::metadata(machine.path("auth.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let login = machine.auth_json();
    assert_eq!((&login["auth_mode"], &login["OPENAI_API_KEY"]), (&"chatgpt".into(), &Value::Null));
    assert!(login["last_refresh"].is_string());
    let tokens = &login["tokens"];
    for member in ["id_token", "access_token", "refresh_token", "account_id"] {
        assert!(tokens[member].is_string(), "{member}");
    }
    assert_eq!(tokens["oauth_provenance"]["issuer"], machine.issuer.url());
}

pub fn status_says_who_is_signed_in_on_standard_error() {
    let machine = configured();
    assert_eq!(codex::status(&machine), ("Not logged in".to_owned(), false));
    machine.sign_in(3600);
    assert_eq!(codex::status(&machine), ("Logged in using ChatGPT".to_owned(), true));
    fs::write(machine.path("auth.json"), "{").unwrap();
    let (line, is_success) = codex::status(&machine);
    assert!(line.starts_with("Error checking login status: ") && !is_success, "{line}");
}

pub fn codex_refreshes_at_280_seconds_and_not_at_320() {
    for (lifetime, refreshes) in [(280, true), (320, false)] {
        let machine = configured();
        machine.sign_in(lifetime);
        assert!(codex::exec(&machine));
        assert_eq!(machine.issuer.counts().refreshes > 0, refreshes, "{lifetime}");
    }
}

pub fn refresh_request_is_json_with_the_client_id() {
    let machine = configured();
    machine.sign_in(-1);
    assert!(codex::exec(&machine));
    let refresh = &requests(&machine, "/oauth/token")[0];
    assert_eq!(refresh.content_type.as_deref(), Some("application/json"));
    assert_eq!(refresh.client_id.as_deref(), Some(issuer::CLIENT_ID));
}

pub fn logout_revokes_the_refresh_token_and_removes_the_login() {
    let machine = configured();
    machine.sign_in(3600);
    assert!(codex::run(&machine, &["logout"]).status.success());
    let revocations = requests(&machine, "/oauth/revoke");
    assert_eq!(revocations.len(), 1);
    assert_eq!(revocations[0].content_type.as_deref(), Some("application/json"));
    assert!(!machine.path("auth.json").exists());
}

/// Codex commits under `auth.lock` first, and discards its new token if it finds the second lock taken.
pub fn codex_waits_for_auth_lock_and_not_for_auth_json_lock() {
    let machine = configured();
    machine.sign_in(-1);
    let held = lock(&machine.path("auth.lock"));
    let exec = codex::start_exec(&machine);
    eventually(|| machine.issuer.counts().refreshes_granted == 1);
    drop(held);
    assert!(codex::answered(exec));
    let renewed = machine.auth_json();
    assert!(machine.issuer.is_live_access_token(text(&renewed["tokens"]["access_token"])));

    let machine = configured();
    machine.sign_in(-1);
    let before = machine.auth_json();
    let _held = lock(&machine.path("auth.json.lock"));
    codex::exec(&machine);
    assert_eq!(machine.issuer.counts().refreshes_granted, 1);
    assert!(machine.auth_json() == before, "the new token is lost");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn linked_auth_json_stays_a_link_when_codex_renews() {
    let machine = configured();
    machine.sign_in(-1);
    let (link, target) = (machine.path("auth.json"), machine.path("elsewhere.json"));
    fs::rename(&link, &target).unwrap();
    symlink(&target, &link).unwrap();
    assert!(codex::exec(&machine));
    assert!(link.is_symlink() && machine.path("elsewhere.json.lock").exists());
    assert!(
        machine.issuer.is_live_access_token(text(&machine.auth_json()["tokens"]["access_token"]))
    );
}

pub fn token_command_gets_no_input_and_is_killed_at_its_timeout() {
    let script =
        "trap 'echo term >>log' TERM\ncat >>log\necho begun >>log\nsleep 20\necho ended >>log\n";
    let machine = with_token_command(script, "timeout_ms = 300");
    assert!(!codex::exec(&machine));
    let log = fs::read_to_string(machine.path("log")).unwrap();
    assert!(log.lines().all(|line| line == "begun"), "{log}");
}

/// Codex then asks the model without a token.
pub fn failing_token_command_is_started_several_times() {
    let machine = with_token_command("echo begun >>log\nexit 3\n", "");
    assert!(!codex::exec(&machine));
    let starts = fs::read_to_string(machine.path("log")).unwrap().lines().count();
    let requests = requests(&machine, "/v1/responses");
    println!("a token command that fails: {starts} starts, {} requests", requests.len());
    assert!(starts > 1 && requests.iter().all(|entry| entry.token.is_none()));
}

/// Nothing tells the command that its token was refused.
pub fn after_a_401_the_token_command_runs_again_with_the_same_arguments() {
    let machine = with_token_command("echo \"$@\" >>log\ncat token\n", "");
    let tokens = machine.sign_in(3600);
    fs::write(machine.path("token"), &tokens.access_token).unwrap();
    let refusal = Fault::status(401, r#"{"error":{"code":"invalid_token"}}"#);
    machine.issuer.fault(Endpoint::Responses, refusal, 1);
    assert!(codex::exec(&machine));
    assert_eq!(fs::read_to_string(machine.path("log")).unwrap(), "same\nsame\n");
}

/// Codex runs the command by `sh -c`.
pub fn mcp_headers_helper_gets_no_input_and_few_variables() {
    let machine = configured();
    let (url, config) = (machine.issuer.url(), machine.path("config.toml"));
    let log = machine.path("log").display().to_string();
    let helper = format!("cat >>{log}; env >>{log}; cat {}", machine.path("headers").display());
    let server = format!("[mcp_servers.x]\nurl = '{url}/mcp'\nhttp_headers_helper = '{helper}'\n");
    fs::write(&config, fs::read_to_string(&config).unwrap() + &server).unwrap();
    let tokens = machine.sign_in(3600);
    let headers = format!("{{\"Authorization\":\"Bearer {}\"}}", tokens.access_token);
    fs::write(machine.path("headers"), headers).unwrap();
    let mut server = AppServer::start(&machine);
    let thread = server.start_thread();
    let call = json!({ "threadId": thread, "server": "x", "tool": "say_ok", "arguments": {} });
    let answer = server.call("mcpServer/tool/call", &call);
    assert_eq!(answer["content"][0]["text"], "OK", "{answer}");
    let log = fs::read_to_string(log).unwrap();
    let names: BTreeSet<_> = log.lines().filter_map(|line| line.split_once('=')).collect();
    let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
    println!("the variables of an MCP server's http_headers_helper: {}", names.join(" "));
    assert!(names.contains(&"HOME") && names.contains(&"PATH"));
    assert!(!names.iter().any(|name| name.starts_with("CODEX_")), "{names:?}");
}

pub fn variables_override_the_login() {
    let machine = configured();
    let tokens = machine.sign_in(3600);
    let run = |name: &str, value: &str, arguments: &[&str]| {
        let output = codex::command(&machine, arguments).env(name, value).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let status = ["login", "status"];
    let said = run("CODEX_ACCESS_TOKEN", &tokens.access_token, &status);
    assert!(said.contains("failed to decode agent identity JWT"), "{said}");
    for name in ["OPENAI_FEDERATION_RULE_ID", "OPENAI_IDENTITY_TOKEN_FILE"] {
        let said = run(name, "x", &status);
        assert!(said.contains("workload identity requires"), "{said}");
    }
    // `login status` does not look at this one.
    let said = run("CODEX_API_KEY", "sk-made-up", &["exec", "--skip-git-repo-check", "Return OK."]);
    assert!(said.contains("401"), "{said}");
    assert_eq!(machine.issuer.counts().refreshes, 0);
}
