//! Approves or denies a device authorization in a real browser.

use std::process::Command;

/// Returns the URL and the code in "sign in at URL with the code CODE (…)".
pub fn invitation(text: &str) -> [&str; 2] {
    let after = |text: &'_ str, mark: &str| text.find(mark).map(|at| at + mark.len());
    let start = after(text, "sign in at ").unwrap_or_else(|| panic!("no URL in {text}"));
    let (url, rest) = text[start..].split_once(' ').unwrap();
    let start = after(rest, "with the code ").unwrap_or_else(|| panic!("no code in {text}"));
    [url, rest[start..].split_whitespace().next().unwrap()]
}

/// Runs browser.js with `node`: types the code on the pages of `site`, signs in as `account` and clicks `approve` or
/// `deny` (`decision`). Returns the message of the last page.
pub fn decide(
    mut node: Command,
    site: &str,
    invitation: [&str; 2],
    account: &str,
    decision: &str,
) -> String {
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/browser.js"));
    let [url, code] = invitation;
    let output = node.args([site, url, code, account, decision]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
