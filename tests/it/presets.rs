//! `profile add --preset`: a vendor's profile from what only the user knows.

use crate::gateway::Gateway;
use codex_credential::profile::presets::{self, NAMES};
use codex_credential::profile::profile_table::ProfileTable;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;

#[test]
fn preset_adds_a_profile_and_tests_it() {
    let gateway = Gateway::new();
    let url = gateway.machine.issuer.url();
    let add = format!("profile add work --preset okta --client-id gateway-cli --issuer {url}");
    let output = gateway.machine.command(&format!("{add} --host work.example")).assert().success();
    output.stdout(contains("offered, at")).stderr(contains("added the profile work"));
    let config = fs::read_to_string(gateway.config()).unwrap();
    let added = &config[config.find("[profiles.work]").unwrap()..];
    for line in [
        "client_id = \"gateway-cli\"",
        "scope = \"openid email profile offline_access\"",
        "hosts = [\"work.example\"]",
    ] {
        assert!(added.contains(line), "{added}");
    }
    let failed = gateway
        .machine
        .command("profile add far --preset keycloak --client-id c --domain 127.0.0.1:1 --realm r");
    let failed = { failed }.assert().code(1);
    failed.stdout(contains("127.0.0.1:1")).stderr(contains("added the profile far"));
    let config = fs::read_to_string(gateway.config()).unwrap();
    assert!(config.contains("issuer = \"https://127.0.0.1:1/realms/r\""), "{config}");
}

#[test]
fn value_that_only_the_user_knows_is_required() {
    let gateway = Gateway::new();
    let before = fs::read_to_string(gateway.config()).unwrap();
    for (options, missing) in [
        ("entra --client-id c", "--tenant"),
        ("keycloak --client-id c --domain h.example", "--realm"),
        ("gitlab --domain h.example", "--client-id"),
        ("auth0 --domain h.example --client-id c", "--audience"),
        ("google --client-id c", "--client-secret-file"),
    ] {
        let add = format!("profile add work --preset {options}");
        let refused = gateway.machine.command(&add).assert().code(2);
        refused.stderr(contains(missing).and(contains("hint: ")));
    }
    gateway.machine.command("profile add work --preset nobody").assert().code(2);
    gateway.machine.command("profile add work --client-id c").assert().code(2);
    assert_eq!(fs::read_to_string(gateway.config()).unwrap(), before);
}

/// The page has the profile of each preset in full.
#[test]
fn page_shows_the_profile_of_each_preset() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/vendors.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let shown: Vec<BTreeMap<String, ProfileTable>> = blocks
        .map(|block| {
            let tables: BTreeMap<String, BTreeMap<String, ProfileTable>> =
                toml::from_str(block).expect(block);
            tables["profiles"].clone()
        })
        .collect();
    let shown: BTreeMap<_, _> = shown.into_iter().flatten().collect();
    assert_eq!(shown.keys().map(String::as_str).collect::<Vec<_>>().len(), NAMES.len());
    for name in NAMES {
        let value = |what: &str| {
            Ok(match (what, name) {
                ("domain", "gitlab") => "gitlab.com",
                ("domain", "okta") => "company.okta.com",
                ("domain", "auth0") => "company.eu.auth0.com",
                ("domain", _) => "id.company.example",
                ("tenant", _) => "00000000-0000-0000-0000-000000000000",
                ("realm", _) => "company",
                ("audience", _) => "https://gateway.company.example",
                ("client-secret-file", _) => "google-secret",
                _ => "CLIENT_ID",
            }
            .to_owned())
        };
        let preset = presets::profile(name, &ProfileTable::default(), value).unwrap();
        let mut page = shown[name].clone();
        if preset.hosts.is_empty() {
            page.hosts.clear();
        }
        assert_eq!(json!(page), json!(preset), "{name}");
    }
}
