//! A person at a real browser.

use std::process::Command;

/// Has `node`, whatever surrounds it, do what one of the sites in browser.js asks of a person: types the code,
/// signs in as `account` and clicks `approve` or `deny`. Gives back what the last page says.
pub fn decide(
    mut node: Command,
    site: &str,
    [url, code]: [&str; 2],
    account: &str,
    decision: &str,
) -> String {
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/browser.js"));
    let output = node.args([site, url, code, account, decision]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
