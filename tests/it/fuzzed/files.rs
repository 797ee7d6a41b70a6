//! Generated files: auth.json and both configuration files.

use crate::fuzzed::{SECRET, assert_one_line_without_secret, bytes_of, for_each, nearly, spoiled};
use codex_credential::error::Kind;
use codex_credential::profile::config::Config;
use codex_credential::storage::Storage;
use codex_credential::storage::codex_config::CodexConfig;
use codex_credential::storage::codex_home::CodexHome;
use codex_credential::storage::keyring::DEFAULT_TIMEOUT;
use codex_credential::tokens::is_valid_token;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const AUTH_JSON: &[&str] = &[
    "auth_mode",
    "OPENAI_API_KEY",
    "tokens",
    "access_token",
    "refresh_token",
    "id_token",
    "account_id",
    "oauth_provenance",
    "issuer",
    "client_id",
    "last_refresh",
    "agent_identity",
];

fn good_auth_json() -> Value {
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": "e30.e30.c2ln", "access_token": SECRET, "refresh_token": SECRET, "account_id": "a",
            "oauth_provenance": {"issuer": "https://a.example", "client_id": "c"},
        },
        "last_refresh": "2026-01-01T00:00:00Z",
    })
}

#[test]
fn auth_json_is_a_login_or_an_error_without_its_content() {
    let attack = attack!(Callers, "`auth.json`, spoilt in any way: nothing of it quoted");
    let good = good_auth_json();
    let nearly = nearly(&good, AUTH_JSON);
    let documents = prop_oneof![
        1 => bytes_of(AUTH_JSON),
        3 => spoiled(nearly.prop_map(|json| json.to_string().into_bytes())),
    ];
    for_each(&attack, 300, &documents, |document| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("auth.json"), &document).unwrap();
        let home = CodexHome::new(folder.path().to_owned(), DEFAULT_TIMEOUT);
        match home.load() {
            Ok(Some(login)) => assert!(is_valid_token(login.access_token.expose())),
            Ok(None) => {}
            Err(error) => assert_one_line_without_secret(&error),
        }
        if let Err(error) = home.load_api_key() {
            assert_one_line_without_secret(&error);
        }
    });
}

#[test]
fn secret_in_any_member_of_auth_json_is_in_no_error() {
    let attack = attack!(Secrets, "a token in any member of `auth.json`, quoted in an error");
    for name in AUTH_JSON {
        for odd in [json!(SECRET), json!([SECRET]), json!({ SECRET: SECRET }), json!(7)] {
            for below in [false, true] {
                attack.again();
                let mut document = good_auth_json();
                let object = if below { &mut document["tokens"] } else { &mut document };
                object[*name] = odd.clone();
                let folder = tempfile::tempdir().unwrap();
                fs::write(folder.path().join("auth.json"), document.to_string()).unwrap();
                let home = CodexHome::new(folder.path().to_owned(), DEFAULT_TIMEOUT);
                let failures = [home.load().err(), home.load_api_key().err()];
                failures.iter().flatten().for_each(assert_one_line_without_secret);
            }
        }
    }
}

const CONFIG: &str = r#"default_profile = "company"
[git]
storage = "file"
[profiles.company]
issuer = "https://id.company.example"
client_id = "codex"
scope = "openid"
hosts = ["gateway.company.example", "h.example:8443"]
storage = "file"
interactive = "auto"
"#;

const CODEX_CONFIG: &str = r#"model = "gpt-5"
cli_auth_credentials_store = "file"
forced_login_method = "chatgpt"
forced_chatgpt_workspace_id = ["a"]
[model_providers.x]
experimental_bearer_token = "made-up-secret-0123456789abcdef0123456789abcdef"
[features]
secret_auth_storage = false
"#;

/// Generates a document with characters inserted and removed.
fn edited(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let inserted = select(
        &["\"", "'", "=", "[", "]", "{", "}", "\n", ".", "\u{0}", "ä", "\\u", "\"\"\"", "#", "9"][..],
    );
    vec((any::<prop::sample::Index>(), inserted, 0..3_usize), 0..4).prop_map(move |edits| {
        let mut text = text.as_bytes().to_vec();
        for (at, inserted, removed) in edits {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.bytes());
        }
        text
    })
}

#[test]
fn configuration_is_read_or_rejected_without_its_content() {
    let attack = attack!(Callers, "`config.toml`, spoilt in any way: nothing of it quoted");
    for_each(&attack, 1000, &prop_oneof![edited(CONFIG), vec(any::<u8>(), 0..200)], |text| {
        let text = String::from_utf8_lossy(&text);
        if let Err(error) = Config::parse(Path::new("/config.toml"), &text) {
            assert!(matches!(error.kind, Kind::Configuration | Kind::Usage), "{error}");
            assert_one_line_without_secret(&error);
        }
    });
}

#[test]
fn codex_configuration_is_read_or_rejected_without_its_secrets() {
    let attack = attack!(Callers, "Codex's `config.toml`, spoilt in any way: nothing of it quoted");
    for_each(&attack, 1000, &edited(CODEX_CONFIG), |text| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.toml"), text).unwrap();
        if let Err(error) = CodexConfig::load(folder.path()) {
            assert_eq!(error.kind, Kind::Configuration);
            assert_one_line_without_secret(&error);
        }
    });
}
