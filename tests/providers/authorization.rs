//! Authorization codes: the browser comes back to the program.

use crate::browser;
use crate::home::{Home, outcome};
use crate::machine::{Machine, ada, eventually};
use crate::provider::{Kind, Provider, Refreshes};
use issuer::Account;
use serde_json::Value;
use std::process::Command;

const CODE: &str = "authorization_code";

pub fn approval_in_the_browser_stores_a_login_that_is_renewed(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with_browser(&provider, "");
    let mut login = home.start_login("");
    let page = login.event("page");
    let last = provider.decide_on(page["verification_uri"].as_str().unwrap(), "ada", "approve");
    assert_eq!(last, "Signed in");
    login.event("approved");
    assert_eq!(login.end().0, 0);
    let token = home.token();
    assert!(provider.is_active(&token));
    assert_eq!(provider.granted_to(CODE), [token.as_str()]);
    home.reject(&token);
    let renewed = home.token();
    assert!(renewed != token && provider.is_active(&renewed));
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 0, reused: 0 });
}

pub fn denial_in_the_browser_is_told(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with_browser(&provider, "");
    let mut login = home.start_login("");
    let page = login.event("page");
    let last = provider.decide_on(page["verification_uri"].as_str().unwrap(), "ada", "deny");
    assert_eq!(last, "Not signed in");
    login.event("denied");
    let (status, error) = login.end();
    assert_eq!((status, &error["kind"]), (4, &"denied".into()), "{error}");
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
}

pub fn wrong_account_in_the_browser_is_revoked(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with_browser(&provider, "account = \"ada@example.com\"\n");
    let mut login = home.start_login("");
    let page = login.event("page");
    let last = provider.decide_on(page["verification_uri"].as_str().unwrap(), "bob", "approve");
    assert_eq!(last, "Not signed in");
    login.event("failed");
    let (status, error) = login.end();
    assert_eq!((status, &error["kind"]), (4, &"wrong_account".into()), "{error}");
    let granted = provider.granted_to(CODE);
    assert_eq!(granted.len(), 1);
    assert!(!provider.is_active(&granted[0]), "the token is revoked");
}

/// Opens the page of a sign-in at the authorization server in tests/issuer, and decides.
fn decide(machine: &Machine, account: &Account, decision: &str) -> String {
    let pending = || {
        let status = machine.command("status --json").output().unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        status["pending"]["verification_uri"].as_str().map(str::to_owned)
    };
    eventually(|| pending().is_some());
    let page = pending().unwrap();
    browser::decide(Command::new("node"), "issuer", [&page, "-"], &account.account_id, decision)
}

/// One test, because the client of Codex has two ports.
pub fn codex_reads_the_login_of_a_browser() {
    let machine = Machine::new();
    let login = machine.start("login --browser --wait 60s");
    assert_eq!(decide(&machine, &ada(), "approve"), "Signed in");
    assert!(login.wait_with_output().unwrap().status.success());
    let codex = std::env::var_os("REAL_CODEX").unwrap();
    let mut status = Command::new(codex);
    status.args(["login", "status"]).env_clear().env("CODEX_HOME", machine.codex_home());
    status.env("HOME", machine.codex_home()).env("PATH", std::env::var_os("PATH").unwrap());
    let output = status.output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Logged in using ChatGPT"));

    let machine = Machine::new();
    let login = machine.start("login --browser --wait 60s");
    assert_eq!(decide(&machine, &ada(), "deny"), "Not signed in");
    assert_eq!(login.wait_with_output().unwrap().status.code(), Some(4));

    let machine = Machine::new();
    let login = machine.start("login --browser --account grace@example.org --wait 60s");
    assert_eq!(decide(&machine, &ada(), "approve"), "Not signed in");
    assert_eq!(login.wait_with_output().unwrap().status.code(), Some(4));
    assert_eq!(machine.issuer.counts().revocations, 1);
}
