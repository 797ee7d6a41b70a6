//! What the real Codex asks ChatGPT's backend, and when it renews a token without an expiry. `status` follows both.

use crate::app_server::AppServer;
use crate::codex;
use crate::machine::Machine;
use codex_credential::clock;
use predicates::str::contains;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::TcpListener;

fn signed_in() -> Machine {
    let (machine, _) = Machine::signed_in(7200);
    codex::configure(&machine, "file");
    machine
}

fn asked(machine: &Machine) -> BTreeSet<String> {
    let log =
        machine.issuer.log().into_iter().map(|entry| format!("{} {}", entry.method, entry.path));
    log.filter(|request| request.contains("/backend-api/wham/")).collect()
}

/// `AuthJson::contents` follows this order.
pub fn codex_prefers_a_personal_access_token_then_an_api_key() {
    let machine = signed_in();
    let mut login = machine.auth_json();
    login.as_object_mut().unwrap().remove("auth_mode");
    login["OPENAI_API_KEY"] = json!("sk-made-up");
    machine.write_auth_json(&login);
    let (says, _) = codex::status(&machine);
    assert!(says.contains("API key"), "{says}");
    login["personal_access_token"] = json!("at-made-up");
    machine.write_auth_json(&login);
    let (says, _) = codex::status(&machine);
    assert!(says.contains("personal access token") && says.contains("/whoami"), "{says}");
    machine.command("status").assert().success().stdout(contains("a personal access token\n"));
}

pub fn codex_reads_no_byte_order_mark_and_no_utf_16() {
    let machine = signed_in();
    let text = machine.auth_json().to_string();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for content in [[b"\xef\xbb\xbf", text.as_bytes()].concat(), utf_16, Vec::new()] {
        fs::write(machine.path("auth.json"), content).unwrap();
        let (says, is_signed_in) = codex::status(&machine);
        assert!(!is_signed_in && says.contains("failed to deserialize"), "{says}");
        machine.command("status").assert().code(3);
    }
}

pub fn check_asks_what_codex_asks_at_its_start() {
    let machine = signed_in();
    let _ = machine.command("status --check").output().unwrap();
    let ours = asked(&machine);
    assert_eq!(ours, ["GET /backend-api/wham/accounts/check".to_owned()].into());
    let codex = signed_in();
    assert!(codex::exec(&codex));
    assert!(asked(&codex).is_superset(&ours), "{:?}", asked(&codex));
}

pub fn usage_asks_what_codex_asks_for_its_limits() {
    let machine = signed_in();
    let _ = machine.command("status --usage").output().unwrap();
    let ours = asked(&machine);
    assert_eq!(ours, ["GET /backend-api/wham/usage".to_owned()].into());
    let codex = signed_in();
    AppServer::start(&codex).call("account/rateLimits/read", &json!({}));
    assert!(asked(&codex).is_superset(&ours), "{:?}", asked(&codex));
}

pub fn token_without_an_expiry_is_renewed_eight_days_after_the_last_refresh() {
    for (days, expected) in [(7, 0), (9, 1)] {
        let machine = signed_in();
        let mut login = machine.auth_json();
        login["tokens"]["access_token"] = json!("opaque");
        login["last_refresh"] = json!(clock::rfc3339(clock::now() - days * 24 * 3600));
        machine.write_auth_json(&login);
        AppServer::start(&machine).call("account/rateLimits/read", &json!({}));
        assert_eq!(machine.issuer.counts().refreshes, expected, "after {days} days");
    }
}

/// Also where the environment names another proxy.
pub fn proxy_of_the_env_file_overrides_that_of_the_environment() {
    let machine = signed_in();
    let config = machine.path("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let backend = format!("{}/backend-api", machine.issuer.url());
    fs::write(&config, text.replace(&backend, "https://chatgpt.com/backend-api")).unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    fs::write(machine.path(".env"), format!("export HTTPS_PROXY='http://{address}'\n")).unwrap();
    let mut codex = codex::start_exec(&machine);
    let (mut client, _) = proxy.accept().unwrap();
    let mut head = [0; 64];
    let length = client.read(&mut head).unwrap();
    assert!(head[..length].starts_with(b"CONNECT chatgpt.com:443 HTTP/1.1"));
    codex.kill().unwrap();
    codex.wait().unwrap();
    drop(proxy);
    let mut ours = machine.command("status --check");
    let output = ours.env("HTTPS_PROXY", "http://127.0.0.1:9").assert().code(1);
    output.stdout(contains(format!("no answer from the proxy {address}")));
}
