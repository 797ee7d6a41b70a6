//! `configure codex-mcp NAME` gives an MCP server of Codex our authorization header.

use crate::configure::{ODD, User};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::process::Command;

const CONFIG: &str = ".codex/config.toml";

fn server(text: &str) -> toml::Table {
    let table: toml::Table = toml::from_str(text).unwrap();
    table["mcp_servers"]["tools"].as_table().unwrap().clone()
}

#[test]
fn key_is_added_to_the_servers_table_and_removed_to_the_byte() {
    let user = User::new();
    for text in [
        "[mcp_servers.tools]\nurl = \"https://chatgpt.com/mcp\"\n",
        "[mcp_servers.tools]\nurl = \"https://chatgpt.com/mcp\"",
        "\u{feff}[mcp_servers.tools]\r\nurl = \"https://chatgpt.com/mcp\"\r\n\r\n",
        "a = 1\n\n\t[ mcp_servers . \"tools\" ] # mine\n# url\nurl = 'http://127.0.0.1:1/mcp'\n[mcp_servers.other]\nurl = 'https://chatgpt.com'",
        "a = \"\"\"\n[mcp_servers.tools]\n\"\"\"\n[mcp_servers.tools]\nurl = 'https://chatgpt.com/'\n[mcp_servers.tools.http_headers]\na = 'b'\n",
        "mcp_servers.other.command = 'x'\n[[b]]\n[mcp_servers.tools]\nurl = 'https://chatgpt.com'\n\n# end\n",
    ] {
        user.write(CONFIG, text);
        user.run("configure codex-mcp tools").assert().success();
        let configured = user.text(CONFIG);
        let command = server(&configured)["http_headers_helper"].as_str().unwrap().to_owned();
        assert!(command.ends_with("/bin/codex-credential get --format headers"), "{command}");
        let again = user.run("configure codex-mcp tools").assert().success();
        again.stderr(contains("already configured"));
        user.run("configure codex").assert().success();
        user.run("unconfigure codex").assert().success();
        assert_eq!(user.text(CONFIG), configured);
        user.run("unconfigure codex-mcp tools").assert().success();
        assert_eq!(user.text(CONFIG), text, "from {configured:?}");
        let nothing = user.run("unconfigure codex-mcp tools").assert().success();
        nothing.stderr(contains("not configured"));
    }
}

#[test]
fn each_server_has_an_entry_of_its_own() {
    let user = User::new();
    let text = "[mcp_servers.one]\nurl = 'https://chatgpt.com/1'\n[mcp_servers.tools]\nurl = 'https://chatgpt.com/2'\n";
    user.write(CONFIG, text);
    user.run("configure codex-mcp tools").assert().success();
    let only_tools = user.text(CONFIG);
    user.run("configure codex-mcp one").assert().success();
    user.run("unconfigure codex-mcp one").assert().success();
    assert_eq!(user.text(CONFIG), only_tools);
    user.run("unconfigure codex-mcp tools --profile codex").assert().success();
    assert_eq!(user.text(CONFIG), text);
}

#[test]
fn token_goes_only_to_a_server_on_a_host_of_the_profile() {
    let user = User::new();
    for (text, why) in [
        ("[mcp_servers.tools]\nurl = 'https://evil.example/mcp'\n", "does not allow the token"),
        ("[mcp_servers.tools]\nurl = 'http://chatgpt.com/mcp'\n", "does not allow the token"),
        ("[mcp_servers.tools]\ncommand = 'x'\n", "no MCP server \"tools\" with a URL"),
        ("[mcp_servers.other]\nurl = 'https://chatgpt.com'\n", "codex mcp add tools --url URL"),
        ("mcp_servers.tools.url = 'https://chatgpt.com'\n", "has no table [mcp_servers.tools]"),
        (
            "[mcp_servers.tools]\nurl = 'https://chatgpt.com'\nhttp_headers_helper = 'x'\n",
            "already has another mcp_servers.tools.http_headers_helper",
        ),
        ("= ?\n", "line 1: "),
        ("", "codex mcp add tools --url URL"),
    ] {
        user.write(CONFIG, text);
        let refused = user.run("configure codex-mcp tools").assert().code(2);
        refused.stderr(contains(why).and(contains("nothing was changed")));
        assert_eq!(user.text(CONFIG), text);
    }
    user.run("configure codex-mcp").assert().code(2).stderr(contains("<NAME>"));
    user.run("configure git tools").assert().code(2).stderr(contains("git takes no further name"));
}

/// `codex mcp add` rewrites the tables of all servers.
#[test]
fn entry_that_codex_has_moved_is_found_updated_and_removed() {
    let user = User::new();
    let (before, after) =
        ("[mcp_servers.tools]\nurl = 'https://chatgpt.com'\n", "\n[mcp_servers.x]\n");
    let earlier =
        "CODEX_HOME='/a b' '/o \\\"ld/codex-credential' get --format headers --profile codex";
    user.write(CONFIG, &format!("{before}http_headers_helper = \"{earlier}\"{after}"));
    user.run("configure codex-mcp tools").assert().success();
    let command = server(&user.text(CONFIG))["http_headers_helper"].as_str().unwrap().to_owned();
    assert!(command.starts_with(user.program.to_str().unwrap()), "{command}");
    user.run("unconfigure codex-mcp tools").assert().success();
    assert_eq!(user.text(CONFIG), format!("{before}{after}").replacen("\n\n", "\n", 1));
}

#[test]
fn another_helper_is_overridden_only_with_force() {
    let user = User::new();
    let text = "[mcp_servers.tools]\nhttp_headers_helper = 's3cret'\nurl = 'https://chatgpt.com'\n";
    user.write(CONFIG, text);
    let refused = user.run("configure codex-mcp tools").assert().code(2);
    refused.stderr(contains("--force").and(contains("s3cret").not()));
    let nothing = user.run("unconfigure codex-mcp tools").assert().success();
    nothing.stderr(contains("not configured"));
    assert_eq!(user.text(CONFIG), text);
    let forced = user.run("configure codex-mcp tools --force").assert().success();
    forced.stderr(contains("cannot restore it").and(contains("s3cret").not()));
    assert!(
        server(&user.text(CONFIG))["http_headers_helper"].as_str().unwrap().contains("headers")
    );
}

/// Codex runs the command by `sh -c`, with HOME and PATH, but without the variables that choose the login.
#[test]
fn command_finds_the_login_without_the_variables_of_the_user() {
    let user = User::with_program_in(ODD);
    let home = user.machine.path("a 'home' with \"quotes\"");
    fs::create_dir(&home).unwrap();
    let tokens = user.machine.sign_in(3600);
    fs::copy(user.machine.path("auth.json"), home.join("auth.json")).unwrap();
    let config = "[mcp_servers.tools]\nurl = 'https://chatgpt.com/mcp'\n";
    fs::write(home.join("config.toml"), config).unwrap();
    let mut configure = user.run("configure codex-mcp tools --profile codex");
    configure.env("CODEX_HOME", &home).env("CODEX_CREDENTIAL_ISSUER", user.machine.issuer.url());
    let refused = configure.env("HTTPS_PROXY", "http://user:s3cret@127.0.0.1:9").assert().code(2);
    refused.stderr(contains("HTTPS_PROXY has a password").and(contains("s3cret").not()));
    configure
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("NO_PROXY", "127.0.0.1")
        .assert()
        .success();
    let text = fs::read_to_string(home.join("config.toml")).unwrap();
    assert!(text.contains("HTTPS_PROXY=http://127.0.0.1:9 ") && !text.contains("s3cret"));
    let table = server(&text);
    let mut command = Command::new("sh");
    command.args(["-c", table["http_headers_helper"].as_str().unwrap()]);
    command.env_clear().env("HOME", &user.home).env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    let headers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(headers["Authorization"], format!("Bearer {}", tokens.access_token));
}
