//! From no login to an answer, with a user at a browser.

use crate::machine::{Machine, ada, eventually};
use crate::{browser, codex, tools};

/// Lets Ada decide in the browser and returns what the page shows.
fn decide(machine: &Machine, invitation: [&str; 2], decision: &str) -> String {
    let node = tools::command(machine, "node");
    browser::decide(node, "issuer", invitation, &ada().account_id, decision)
}

pub fn codex_from_an_empty_cache() {
    let machine = Machine::new();
    for _ in 0..9 {
        let output = codex::sharing(&machine).output().unwrap();
        assert!(!output.status.success(), "{}", tools::said(&output));
        browser::invitation(&tools::said(&output));
    }
    let output = codex::sharing(&machine).output().unwrap();
    let said = tools::said(&output);
    let invitation = browser::invitation(&said);
    assert_eq!(decide(&machine, invitation, "approve"), "Login approved");
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
    let invitation = browser::invitation(&said);
    assert_eq!(decide(&machine, invitation, "deny"), "Login denied");
    eventually(|| machine.renewers().is_empty());
    let output = machine.std_command("get").output().unwrap();
    // The denial ended the first sign-in, and the next call gets another code.
    assert_eq!(output.status.code(), Some(3));
    assert_ne!(browser::invitation(&tools::said(&output))[1], invitation[1]);
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges), (2, 0));
}
