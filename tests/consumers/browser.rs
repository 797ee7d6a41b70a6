//! A person at a real browser.

use crate::machine::{Machine, ada};
use crate::tools;

/// Types the code into the page, chooses Ada's account and clicks `approve` or `deny`; gives back the page's answer.
pub fn decide(machine: &Machine, url: &str, code: &str, decision: &str) -> String {
    let mut node = tools::command(machine, "node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consumers/browser.js"));
    node.args([url, code, &ada().account_id, decision]);
    let output = node.output().unwrap();
    assert!(output.status.success(), "{}", tools::said(&output));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
