//! Codex's configuration of the login: storage, login method and workspace.

use crate::machine::{Machine, OURS, ada};
use issuer::Issuer;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::json;
use std::fs;

const API: &str = "protocol=https\nhost=api.openai.com\n\n";

fn configure(machine: &Machine, text: &str) {
    fs::write(machine.path("config.toml"), text).unwrap();
}

#[test]
fn unsupported_codex_storage_is_reported_and_starts_no_sign_in() {
    let (machine, _) = Machine::signed_in(3600);
    for (text, name) in [
        ("cli_auth_credentials_store = 'ephemeral'", "ephemeral"),
        ("cli_auth_credentials_store = 'hologram'", "hologram"),
        (
            "cli_auth_credentials_store = 'keyring'\nfeatures = { secret_auth_storage = true }",
            "encrypted",
        ),
        ("cli_auth_credentials_store = ", "config.toml, line 1"),
    ] {
        configure(&machine, text);
        for command in ["get", "login", "status", "logout"] {
            machine.command(command).assert().code(2).stdout(is_empty()).stderr(contains(name));
        }
    }
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
}

#[test]
fn api_key_is_answered_only_for_its_own_host() {
    let (machine, _) = Machine::signed_in(3600);
    machine.command("get").write_stdin(API).assert().success().stdout(is_empty());
    machine.write_auth_json(&json!({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-made-up"}));
    let output = machine.command("get").write_stdin(API).assert().success();
    output.stdout(contains("password=sk-made-up\n").and(contains("expiry").not()));
    let output = machine.command("get").write_stdin(OURS).assert().code(3);
    output.stdout(is_empty()).stderr(contains("api.openai.com"));
    configure(&machine, "forced_login_method = 'chatgpt'");
    machine.command("get").write_stdin(API).assert().code(4);
}

#[test]
fn forced_login_method_api_forbids_sign_in() {
    let machine = Machine::new();
    configure(&machine, "forced_login_method = 'api'");
    machine.command("login").assert().code(4);
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn login_of_a_workspace_that_is_not_allowed_is_refused_and_kept() {
    let (machine, tokens) = Machine::signed_in(3600);
    configure(&machine, "forced_chatgpt_workspace_id = ['other', 'another']");
    let output = machine.command("get").assert().code(4);
    output.stdout(is_empty()).stderr(contains("other, another").and(contains("hint: ")));
    configure(&machine, &format!("forced_chatgpt_workspace_id = '{}'", tokens.account_id));
    assert_eq!(machine.token(), tokens.access_token);
}

#[test]
fn sign_in_to_a_workspace_that_is_not_allowed_is_revoked() {
    let (machine, old) = Machine::signed_in(3600);
    configure(&machine, &format!("forced_chatgpt_workspace_id = '{}'", ada().account_id));
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(crate::machine::PATIENCE).unwrap();
    machine.issuer.approve_as(&code, &Issuer::accounts()[1]);
    let output = login.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains(&ada().account_id), "{says}");
    assert_eq!(machine.issuer.counts().revocations, 1);
    assert_eq!(machine.token(), old.access_token, "the old login is kept");
    assert!(!machine.own("journal").exists() && !machine.sign_in_file("pending").exists());
}

#[test]
fn unknown_auth_mode_is_reported_and_left_unchanged() {
    let machine = Machine::new();
    let document = json!({"auth_mode": "telepathy", "tokens": {"access_token": "a"}});
    machine.write_auth_json(&document);
    machine.command("get").assert().code(3).stderr(contains("telepathy"));
    assert_eq!(machine.auth_json(), document);
    assert_eq!(machine.issuer.counts(), issuer::Counts::default());
}
