//! The real Codex after a switch of accounts.

use crate::app_server::AppServer;
use crate::codex;
use crate::keyring::Keyring;
use crate::machine::{Machine, ada, files};
use issuer::{Account, Issuer};
use predicates::str::contains;
use std::fs;
use std::path::PathBuf;

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

/// Codex, which keeps its login in `store`, signs Ada in; the login of Grace is parked.
fn park_grace(machine: &mut Machine, store: &str) {
    codex::configure(machine, store);
    codex::login(machine);
    let tokens = machine.issuer.grant(&grace(), 7200);
    machine.park(&tokens, store);
}

fn two_accounts() -> Machine {
    let mut machine = Machine::new();
    park_grace(&mut machine, "file");
    machine
}

/// Switches to `account`. Returns what the command says.
fn switch(machine: &Machine, account: &Account) -> String {
    let output = machine.command(&format!("switch {}", account.email)).assert().success();
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

pub fn codex_uses_the_account_that_we_switched_to() {
    assert_both_accounts_work(&two_accounts());
}

/// The parked login of a Codex that uses the keyring is in the keyring, too.
pub fn codex_uses_the_account_that_we_switched_to_in_the_keyring() {
    let mut machine = Machine::new();
    let _keyring = Keyring::unlocked(&mut machine);
    park_grace(&mut machine, "keyring");
    assert_both_accounts_work(&machine);
    assert!(!machine.path("auth.json").exists());
    let state = files(&machine.path("state"));
    let has_login = |path: &PathBuf| {
        fs::read_to_string(path).is_ok_and(|text| text.contains("refresh_token\":\""))
    };
    assert!(!state.iter().any(has_login), "{state:?}");
}

fn assert_both_accounts_work(machine: &Machine) {
    for account in [grace(), ada(), grace()] {
        switch(machine, &account);
        assert_eq!(codex::status(machine), ("Logged in using ChatGPT".to_owned(), true));
        assert!(codex::exec(machine));
        assert_eq!(AppServer::start(machine).token(), machine.token());
        machine.command("status").assert().success().stdout(contains(account.email.as_str()));
        // A renewal at the server proves the refresh token.
        machine.refuse(&machine.token());
        machine.token();
    }
    let counts = machine.issuer.counts();
    println!(
        "3 switches, 3 renewals: {} refresh requests, {} refused",
        counts.refreshes, counts.reuses
    );
    assert_eq!((counts.refreshes, counts.reuses, counts.responses_refused), (3, 0, 0));
}

pub fn open_app_server_is_named_and_goes_on_with_the_earlier_account() {
    let machine = two_accounts();
    let mut server = AppServer::start(&machine);
    let before = server.token();
    let says = switch(&machine, &grace());
    assert!(says.contains("codex app-server (process "), "{says}");
    assert_eq!(server.token(), before);
    assert_ne!(machine.token(), before);
}
