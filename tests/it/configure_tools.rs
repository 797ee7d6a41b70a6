//! What each tool does with the entry that `configure` writes.

use crate::configure::{ODD, User, install};
use crate::configure_cases::naming_the_program;
use crate::machine::OURS;
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn moved_program_updates_its_entry() {
    let user = User::new();
    for (tool, name, texts) in naming_the_program() {
        user.write(name, texts[3]);
        user.run(&format!("configure {tool}")).assert().success();
        let moved = user.machine.path("elsewhere");
        fs::create_dir_all(&moved).unwrap();
        let moved = install(user.program.parent().unwrap(), &moved);
        let mut command = Command::new(&moved);
        command.env("HOME", &user.home).env_remove("CODEX_HOME").args(["configure", tool]);
        command.assert().success();
        let text = user.text(name);
        assert!(
            text.contains("/elsewhere/codex-credential") && !text.contains("/bin/codex"),
            "{text}"
        );
        user.run(&format!("unconfigure {tool}")).assert().success();
        assert_eq!(user.text(name), texts[3]);
        fs::remove_file(user.file(name)).unwrap();
    }
}

#[test]
fn git_asks_us_only_for_our_host() {
    for folder in ["bin", ODD] {
        let user = User::with_program_in(folder);
        user.write(
            ".gitconfig",
            "[credential]\n\thelper = \"!echo password=wrong; echo username=wrong; :\"\n",
        );
        let tokens = user.machine.sign_in(3600);
        user.run("configure git").assert().success();
        let fill = |input: &str| user.answer(Path::new("git"), &["credential", "fill"], input);
        let answer = String::from_utf8(fill(OURS).stdout).unwrap();
        assert!(answer.contains(&format!("password={}\n", tokens.access_token)), "{answer}");
        let other = String::from_utf8(fill("protocol=https\nhost=example.org\n\n").stdout).unwrap();
        assert!(other.contains("password=wrong"), "{other}");
        user.run("unconfigure git").assert().success();
        let answer = String::from_utf8(fill(OURS).stdout).unwrap();
        assert!(answer.contains("password=wrong"), "{answer}");
    }
}

#[test]
fn git_file_is_the_one_that_git_config_writes() {
    let user = User::new();
    user.write(".config/git/config", "[user]\n\tname = Ada\n");
    user.run("configure git").assert().success();
    assert!(
        !user.file(".gitconfig").exists() && user.text(".config/git/config").contains("helper")
    );
    user.run("unconfigure git").assert().success();
    let elsewhere = user.file("elsewhere");
    user.run("configure git").env("GIT_CONFIG_GLOBAL", &elsewhere).assert().success();
    assert!(elsewhere.exists());
}

#[test]
fn helper_set_by_the_user_is_not_removed() {
    let user = User::new();
    let set = [
        "config",
        "--global",
        "credential.https://chatgpt.com.helper",
        user.program.to_str().unwrap(),
    ];
    assert!(user.answer(Path::new("git"), &set, "").status.success());
    let text = user.text(".gitconfig");
    user.run("configure git").assert().success();
    for _ in 0..2 {
        user.run("unconfigure git").assert().success();
        assert_eq!(user.text(".gitconfig"), text);
    }
}

#[test]
fn edited_lines_are_not_removed() {
    let user = User::new();
    let name = ".codex/config.toml";
    user.run("configure codex").assert().success();
    let edited = user.text(name).replace("timeout_ms = 5000", "timeout_ms = 9000");
    let with_table =
        format!("{}[model_providers.codex-credential.http_headers]\n", user.text(name));
    for text in [edited, with_table] {
        user.write(name, &text);
        user.run("unconfigure codex").assert().code(2).stderr(contains("by hand"));
        assert_eq!(user.text(name), text);
    }
}

/// Without the header of our section, the added keys would belong to the section before.
#[test]
fn section_to_which_keys_were_added_is_not_removed() {
    let user = User::new();
    user.write(".gitconfig", "[alias]\n\tx = y\n");
    user.run("configure git").assert().success();
    let set = ["config", "--global", "credential.https://chatgpt.com.username", "ada"];
    assert!(user.answer(Path::new("git"), &set, "").status.success());
    user.write(".codex/config.toml", "[tools]\nweb_search = true\n");
    user.run("configure codex").assert().success();
    let codex = user.text(".codex/config.toml");
    user.write(".codex/config.toml", &format!("{codex}\n# mine\nrefresh_on_error = true\n"));
    for (tool, file) in [("git", ".gitconfig"), ("codex", ".codex/config.toml")] {
        let text = user.text(file);
        user.run(&format!("unconfigure {tool}")).assert().code(2).stderr(contains("by hand"));
        assert_eq!(user.text(file), text);
    }
}

#[test]
fn codex_provider_has_a_token_command() {
    let user = User::new();
    let name = ".codex/config.toml";
    for url in ["http://127.0.0.1:1/v1", "https://chatgpt.com/v1"] {
        user.run(&format!("configure codex --base-url {url}")).assert().success();
        let config: toml::Table = user.text(name).parse().unwrap();
        let ours = &config["model_providers"]["codex-credential"];
        assert_eq!(ours["base_url"].as_str(), Some(url));
        assert_eq!(ours["wire_api"].as_str(), Some("responses"));
        assert_eq!(ours["auth"]["command"].as_str(), user.program.to_str());
        assert_eq!(ours["auth"]["args"], toml::Value::from(vec!["token"]));
    }
    user.run("unconfigure codex").assert().success();
    assert!(!user.file(name).exists());
}

#[test]
fn url_on_another_host_is_refused() {
    let user = User::new();
    let refusal = || contains("hint: ").and(contains("chatgpt.com"));
    for tool in ["codex", "pi"] {
        for url in ["https://example.org/v1", "http://chatgpt.com", "https://chatgpt.com:8443", "x"]
        {
            let refused = user.run(&format!("configure {tool} --base-url {url}")).assert().code(2);
            refused.stderr(refusal());
        }
    }
    assert_eq!(fs::read_dir(&user.home).unwrap().count(), 0);
    for url in ["https://chatgpt.com/gateway", "http://localhost:8080/v1", "http://[::1]:8080"] {
        for tool in ["codex", "pi"] {
            user.run(&format!("configure {tool} --base-url {url}")).assert().success();
            user.run(&format!("unconfigure {tool}")).assert().success();
        }
    }
}

#[test]
fn shell_runs_the_command_in_an_oddly_named_folder() {
    let user = User::with_program_in("odd 'name' \"of\" a $HOME folder");
    let tokens = user.machine.sign_in(3600);
    user.run("configure claude-code").assert().success();
    user.run("configure pi").assert().success();
    let read = |name| serde_json::from_str::<Value>(&user.text(name)).unwrap();
    let claude = read(".claude/settings.json")["apiKeyHelper"].as_str().unwrap().to_owned();
    let pi = read(".pi/agent/models.json")["providers"]["openai-codex"]["apiKey"].clone();
    for command in [claude.as_str(), pi.as_str().unwrap().strip_prefix('!').unwrap()] {
        let output = user.answer(Path::new("/bin/sh"), &["-c", command], "");
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), tokens.access_token);
    }
}

#[test]
fn codex_provider_names_the_workspace_that_is_signed_in() {
    let user = User::new();
    let (name, text) = (".codex/config.toml", "model = 'x'");
    user.write(name, text);
    let configure = |line: &str| {
        user.run(line).env("CODEX_HOME", user.file(".codex")).assert().success();
        user.text(name)
    };
    assert!(configure("configure codex").contains("\nhttp_headers = {}\n"));
    for account in &issuer::Issuer::accounts()[..2] {
        let tokens = user.machine.issuer.grant(account, 3600);
        let login = serde_json::json!({ "tokens": {
            "id_token": tokens.id_token, "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
        }, "last_refresh": "2026-01-01T00:00:00Z" });
        user.write(".codex/auth.json", &login.to_string());
        let header = format!("{{ \"chatgpt-account-id\" = \"{}\" }}", tokens.account_id);
        assert!(configure("configure codex").contains(&header));
    }
    // An account that signed out, or a storage that cannot be read, does not matter for the undoing.
    user.write(".codex/auth.json", "{");
    assert_eq!(configure("unconfigure codex"), text);
}

#[test]
fn account_of_one_command_is_refused() {
    let user = User::new();
    for tool in ["git", "codex", "claude-code", "docker"] {
        let refused = user.run(&format!("configure {tool} --account ada@example.com")).assert();
        refused.code(2).stderr(contains("--account is for one command"));
    }
    assert_eq!(fs::read_dir(&user.home).unwrap().count(), 0);
}
