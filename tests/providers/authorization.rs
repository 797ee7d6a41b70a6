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

/// Waits for the page of a sign-in at the authorization server in tests/issuer.
fn page_of(machine: &Machine) -> String {
    let pending = || {
        let status = machine.command("status --json").output().unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        status["pending"]["verification_uri"].as_str().map(str::to_owned)
    };
    eventually(|| pending().is_some());
    pending().unwrap()
}

/// Opens `page` and decides. Returns the heading of the last page.
fn decide_at(page: &str, account: &Account, decision: &str) -> String {
    browser::decide(Command::new("node"), "issuer", [page, "-"], &account.account_id, decision)
}

fn decide(machine: &Machine, account: &Account, decision: &str) -> String {
    decide_at(&page_of(machine), account, decision)
}

fn redirect_uri(page: &str) -> String {
    let mut pairs = page.split_once('?').unwrap().1.split('&');
    let uri = pairs.find_map(|pair| pair.strip_prefix("redirect_uri=")).unwrap();
    uri.replace("%3A", ":").replace("%2F", "/")
}

/// These and the next share two ports, so they run one after the other.
fn addresses_that_are_no_answer_change_nothing() {
    let machine = Machine::new();
    let login = machine.start("login --browser --wait 60s");
    let page = page_of(&machine);
    let uri = redirect_uri(&page);
    for (address, heading) in [
        (format!("{uri}?code=stolen&state=other"), "Not signed in"),
        (format!("{uri}?error=access_denied&state="), "Not signed in"),
        (uri.replace("/auth/callback", "/other"), "Not found"),
    ] {
        assert_eq!(decide_at(&address, &ada(), "open"), heading, "{address}");
    }
    assert_eq!(decide_at(&page, &ada(), "approve"), "Signed in");
    assert!(login.wait_with_output().unwrap().status.success());
    let again = format!("{uri}?code=again&state=other");
    assert_eq!(decide_at(&again, &ada(), "open"), "no answer");
    assert_eq!(machine.issuer.counts().exchanges, 1);
}

fn first_of_two_answers_counts() {
    let machine = Machine::new();
    let login = machine.start("login --browser --wait 60s");
    let page = page_of(&machine);
    let last = std::thread::scope(|scope| {
        let browsers = [(); 2].map(|()| scope.spawn(|| decide_at(&page, &ada(), "approve")));
        browsers.map(|browser| browser.join().unwrap())
    });
    assert_eq!(last.iter().filter(|heading| *heading == "Signed in").count(), 1, "{last:?}");
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(machine.issuer.counts().exchanges_granted, 1);
}

fn answer_after_the_sign_in_was_cancelled_brings_no_login() {
    let machine = Machine::new();
    let login = machine.start("login --browser --wait 60s");
    let page = page_of(&machine);
    machine.command("login --cancel").assert().success();
    assert_eq!(login.wait_with_output().unwrap().status.code(), Some(3));
    assert_eq!(decide_at(&page, &ada(), "approve"), "no answer");
    assert_eq!(machine.issuer.counts().exchanges, 0);
    machine.command("status").assert().code(3);
}

fn killed_caller_leaves_the_sign_in_to_its_process() {
    let machine = Machine::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:1455");
    let mut login = machine.start("login --browser --wait 60s");
    let page = page_of(&machine);
    assert!(redirect_uri(&page).contains(":1457/"), "{page}");
    login.kill().unwrap();
    login.wait().unwrap();
    assert_eq!(decide_at(&page, &ada(), "approve"), "Signed in");
    machine.command("token").assert().success();
    drop(taken);
}

fn killed_sign_in_process_goes_on_with_the_next_caller() {
    let machine = Machine::new();
    let mut login = machine.start("login --browser --wait 60s");
    let page = page_of(&machine);
    login.kill().unwrap();
    login.wait().unwrap();
    machine.kill_renewer();
    assert_eq!(decide_at(&page, &ada(), "approve"), "no answer");
    let login = machine.start("login --browser --wait 60s");
    eventually(|| !machine.renewers().is_empty());
    assert_eq!(decide(&machine, &ada(), "approve"), "Signed in");
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(machine.issuer.counts().exchanges_granted, 1);
}

pub fn browser_at_the_ports_of_codex() {
    addresses_that_are_no_answer_change_nothing();
    first_of_two_answers_counts();
    answer_after_the_sign_in_was_cancelled_brings_no_login();
    killed_caller_leaves_the_sign_in_to_its_process();
    killed_sign_in_process_goes_on_with_the_next_caller();
    codex_reads_the_login_of_a_browser();
}

fn codex_reads_the_login_of_a_browser() {
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
