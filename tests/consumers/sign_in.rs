//! From nobody signed in to an answer, with a person at a browser.

use crate::machine::{Machine, ada, eventually};
use crate::{browser, codex, tools};

/// The URL and the code in "sign in at URL with the code CODE (…)".
fn invitation(text: &str) -> (&str, &str) {
    let after = |text: &'_ str, mark: &str| text.find(mark).map(|at| at + mark.len());
    let start = after(text, "sign in at ").unwrap_or_else(|| panic!("no URL in {text}"));
    let (url, rest) = text[start..].split_once(' ').unwrap();
    let start = after(rest, "with the code ").unwrap_or_else(|| panic!("no code in {text}"));
    (url, rest[start..].split_whitespace().next().unwrap())
}

/// What the page says when Ada has decided.
fn decide(machine: &Machine, invitation: [&str; 2], decision: &str) -> String {
    let node = tools::command(machine, "node");
    browser::decide(node, "issuer", invitation, &ada().account_id, decision)
}

pub fn codex_from_an_empty_cache() {
    let machine = Machine::new();
    for _ in 0..9 {
        let output = codex::sharing(&machine).output().unwrap();
        assert!(!output.status.success(), "{}", tools::said(&output));
        invitation(&tools::said(&output));
    }
    let output = codex::sharing(&machine).output().unwrap();
    let said = tools::said(&output);
    let (url, code) = invitation(&said);
    assert_eq!(decide(&machine, [url, code], "approve"), "Login approved");
    eventually(|| machine.path("auth.json").exists());
    let output = codex::sharing(&machine).output().unwrap();
    assert!(output.status.success(), "{}", tools::said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), "OK");
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges_granted, counts.refreshes), (1, 1, 0));
}

pub fn chromium_denies() {
    let machine = Machine::new();
    let output = machine.std_command("get").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = tools::said(&output);
    let (url, code) = invitation(&said);
    assert_eq!(decide(&machine, [url, code], "deny"), "Login denied");
    eventually(|| machine.renewers().is_empty());
    let output = machine.std_command("get").output().unwrap();
    // The denial ended that sign-in; whoever asks again gets another code.
    assert_eq!(output.status.code(), Some(3));
    assert_ne!(invitation(&tools::said(&output)).1, code);
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges), (2, 0));
}
