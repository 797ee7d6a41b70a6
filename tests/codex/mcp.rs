//! An MCP server and a telemetry collector that get our authorization header.

use crate::app_server::AppServer;
use crate::codex;
use crate::machine::Machine;
use predicates::str::contains;
use serde_json::json;
use std::fs;

/// Each tool call gets an answer, also after the server has begun to reject the token that it accepted before.
pub fn mcp_server_gets_a_new_token_after_a_401() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let first = machine.sign_in(3600);
    let (url, config) = (machine.issuer.url(), machine.path("config.toml"));
    let server = format!("[mcp_servers.tools]\nurl = \"{url}/mcp\"\n");
    fs::write(&config, fs::read_to_string(&config).unwrap() + &server).unwrap();
    machine.command("configure codex-mcp tools").assert().success();
    // Codex rewrites the tables of all servers.
    let other = codex::run(&machine, &["mcp", "add", "other", "--", "true"]);
    assert!(other.status.success());
    let again = machine.command("configure codex-mcp tools").assert().success();
    again.stderr(contains("already configured"));

    let mut codex = AppServer::start(&machine);
    let thread = codex.start_thread();
    let call = json!({ "threadId": thread, "server": "tools", "tool": "say_ok", "arguments": {} });
    let answer = codex.call("mcpServer/tool/call", &call);
    assert_eq!(answer["content"][0]["text"], "OK", "{answer}");

    machine.issuer.invalidate_access_token(&first.access_token);
    machine.refuse(&first.access_token);
    let second = machine.token();
    assert_ne!(second, first.access_token);
    let answer = codex.call("mcpServer/tool/call", &call);
    assert_eq!(answer["content"][0]["text"], "OK", "{answer}");
    drop(codex);

    let log = machine.issuer.log();
    let requests = log.iter().filter(|entry| entry.path == "/mcp" && entry.method == "POST");
    let refused = requests.clone().filter(|entry| entry.status == Some(401)).count();
    println!("MCP server: {} requests, {refused} refused", requests.count());
    assert!(refused >= 1);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

pub fn telemetry_collector_gets_the_token() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(3600);
    let (url, config) = (machine.issuer.url(), machine.path("config.toml"));
    let program = machine.std_command("").get_program().to_str().unwrap().to_owned();
    let home = machine.codex_home().display();
    let command = format!("CODEX_HOME={home} {program} get --format headers");
    let exporter = format!("{{ endpoint = \"{url}/v1/logs\", protocol = \"json\" }}");
    let otel = format!(
        "[otel]\nheaders_helper = \"{command}\"\nexporter = {{ otlp-http = {exporter} }}\n"
    );
    fs::write(&config, fs::read_to_string(&config).unwrap() + &otel).unwrap();
    assert!(codex::exec(&machine));
    let log = machine.issuer.log();
    let sent: Vec<_> = log.iter().filter(|entry| entry.path == "/v1/logs").collect();
    println!("telemetry: {} requests", sent.len());
    assert!(!sent.is_empty() && sent.iter().all(|entry| entry.token.is_some()));
}
