//! docs/configuration.md has every key of config.toml, and no other.

use codex_credential::profile::config::keys;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn the_document_and_the_program_know_the_same_keys() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let document = fs::read_to_string(document).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<&str> = rows.collect();
    assert_eq!(documented, keys().collect());
}
