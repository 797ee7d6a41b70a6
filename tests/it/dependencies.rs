//! What we are linked with: its licences and where it comes from, by deny.toml, so that they are held where cargo-deny
//! is not installed, too.

use serde_json::Value;
use spdx::{Expression, ParseMode};
use std::fs;
use std::path::Path;
use std::process::Command;

fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.args(["metadata", "--format-version=1", "--all-features", "--locked"]);
    let metadata: Value = serde_json::from_slice(&output.output().unwrap().stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// A list of strings in deny.toml.
fn listed(table: &str, key: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let deny: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
    let list = deny[table][key].as_array().unwrap();
    list.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_has_a_licence_that_we_may_be_linked_with() {
    let allowed = listed("licenses", "allow");
    for package in packages() {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} has none"));
        let licence = Expression::parse_mode(licence, ParseMode::LAX).unwrap();
        let is_allowed = licence.evaluate(|asked| {
            asked.license.id().is_some_and(|id| allowed.iter().any(|it| it == id.name))
        });
        assert!(is_allowed, "{name} is under {licence}");
    }
}

#[test]
fn all_come_from_one_registry_and_none_is_forbidden() {
    let forbidden = listed("bans", "deny");
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let source = package["source"].as_str();
        let is_known =
            source.is_none_or(|it| it.starts_with("registry+") && it.contains("crates.io"));
        assert!(is_known, "{name} is from {source:?}");
        assert!(!forbidden.iter().any(|it| it == name), "{name} is forbidden by deny.toml");
    }
}
