//! docs/configuration.md documents every key of config.toml, and no other.

use codex_credential::profile::config::keys;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_key_is_documented() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let document = fs::read_to_string(document).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<&str> = rows.collect();
    assert_eq!(documented, keys().collect());
}
