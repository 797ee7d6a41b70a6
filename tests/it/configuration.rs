//! docs/configuration.md has a row for every key of config.toml, and a first example that works.

use codex_credential::profile::config::Config;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const NO_KEY: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Returns the keys of a table, as the error of an unknown key lists them.
fn keys(header: &str) -> Vec<String> {
    let text = format!("{header}\n{NO_KEY} = 1\n");
    let error = Config::parse(Path::new("/config.toml"), &text).unwrap_err();
    let hint = error.hint.unwrap();
    let keys = hint.strip_prefix("the keys are ").unwrap_or_else(|| panic!("{hint}"));
    keys.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_documented_and_every_documented_key_exists() {
    let tables = ["", "[git]", "[profiles.a]", "[profiles.a.etcd]"];
    let keys: BTreeSet<String> = tables.iter().flat_map(|table| keys(table)).collect();
    assert!(keys.len() > 30, "{keys:?}");
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), keys);
}

#[test]
fn example_of_the_document_is_valid() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let example = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = Config::parse(Path::new("/config.toml"), example).unwrap();
    assert!(config.find("company").is_ok());
}
