//! Sign-ins and renewals have separate locks and journals.

use crate::machine::{
    Machine, PATIENCE, Private, ada, eventually, files, is_answered, lock, token_of,
};
use codex_credential::tokens::Fingerprint;
use issuer::{Account, Endpoint, Fault, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

/// Waits for the file called `name` in the sign-in directory, and returns its path.
fn sign_in_file(private: &Private, name: &str) -> PathBuf {
    let end = format!("sign-in/{name}");
    let find = || files(private.state.path()).into_iter().find(|file| file.ends_with(&end));
    eventually(|| find().is_some());
    find().unwrap()
}

/// The path of the folder of `account` in our own storage, which is named by a hash of user and workspace.
fn account_folder(private: &Private, account: &Account) -> PathBuf {
    let sign_in_dir = sign_in_file(private, "pending");
    let name = format!("{}\0{}", account.user_id, account.account_id);
    let hash = Fingerprint::of(name.as_bytes());
    sign_in_dir.parent().unwrap().with_file_name(hash.prefix(16))
}

/// Leaves a sign-in whose answer is in its journal. Its process has ended because it could not store the login.
fn answered_sign_in(private: &Private, more: &str, account: &Account) {
    let login = private.machine.start(&format!("login {more}"));
    let code = private.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let folder = account_folder(private, account);
    // A file keeps the folder from being created.
    fs::write(&folder, "").unwrap();
    private.machine.issuer.approve_as(&code, account);
    assert_eq!(login.wait_with_output().unwrap().status.code(), Some(1));
    eventually(|| private.machine.renewers().is_empty());
    fs::remove_file(&folder).unwrap();
    assert!(is_answered(&sign_in_file(private, "journal")));
}

fn succeeds(caller: Child) {
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pending_sign_in_of_one_account_does_not_block_the_renewal_of_another() {
    let private = Private::new("file");
    let machine = &private.machine;
    let first = private.sign_in(&ada(), "");
    let login = machine.start("login --account grace@example.org --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.refuse(&first);
    let renewed = machine.token();
    assert_ne!(renewed, first);
    assert_eq!(machine.issuer.counts().refreshes, 1);
    machine.issuer.approve_as(&code, &grace());
    succeeds(login);
    assert_eq!(machine.token(), renewed, "the default account is still the first one");
}

#[test]
fn slow_exchange_of_one_account_does_not_block_the_renewal_of_another() {
    let private = Private::new("file");
    let machine = &private.machine;
    let first = private.sign_in(&ada(), "");
    machine.issuer.fault(Endpoint::Exchange, Fault::DelayAfter(Duration::from_secs(8)), 1);
    let login = machine.start("login --account grace@example.org --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.issuer.approve_as(&code, &grace());
    eventually(|| machine.issuer.counts().exchanges == 2);
    machine.refuse(&first);
    // The default wait is shorter than the exchange.
    let renewed = machine.command("get --format token").assert().success();
    assert_ne!(renewed.get_output().stdout.trim_ascii(), first.as_bytes());
    assert_eq!(machine.issuer.counts().refreshes, 1);
    succeeds(login);
}

#[test]
fn callers_during_a_pending_sign_in_share_one_renewal_of_the_stored_login() {
    for storage in ["codex", "file"] {
        let private = Private::new(storage);
        let machine = &private.machine;
        let first = private.sign_in(&ada(), "");
        let login = machine.start("login --wait 60s");
        let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
        machine.refuse(&first);
        let renewed = machine.crowd(16);
        assert!(renewed.iter().all(|token| *token == renewed[0] && *token != first), "{storage}");
        assert_eq!(machine.issuer.counts().refreshes, 1, "{storage}");
        machine.issuer.approve(&code);
        succeeds(login);
        let counts = machine.issuer.counts();
        assert_eq!((counts.user_codes, counts.exchanges_granted), (2, 2), "{storage}");
        assert_ne!(machine.token(), renewed[0], "{storage}");
    }
}

#[test]
fn callers_with_a_dead_login_join_the_pending_sign_in() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.invalidate_refresh_token(&tokens.refresh_token);
    let login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let mut callers: Vec<Child> =
        (0..8).map(|_| machine.start("get --format token --wait 60s")).collect();
    // A caller that may not sign in waits for the sign-in of the others.
    callers.push(machine.start("get --format token --wait 60s --interactive never"));
    eventually(|| machine.own("invalid-token").exists());
    machine.issuer.approve(&code);
    succeeds(login);
    let found: Vec<String> = callers.into_iter().map(token_of).collect();
    assert!(found.iter().all(|token| machine.issuer.is_live_access_token(token)));
    assert_eq!(machine.issuer.counts().user_codes, 1);
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
}

#[test]
fn sign_in_killed_before_its_commit_is_finished_by_a_caller_that_may_not_sign_in() {
    let machine = Machine::new();
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut caller = machine.start("get --wait 60s");
    machine.approve_next();
    eventually(|| is_answered(&machine.sign_in_file("journal")));
    caller.kill().unwrap();
    caller.wait().unwrap();
    machine.kill_renewer();
    // `status` and `doctor` change nothing that the recovery needs.
    machine.command("status").assert().code(3);
    machine.command("doctor").output().unwrap();
    assert!(is_answered(&machine.sign_in_file("journal")));
    drop(write_lock);
    let get = "get --format token --interactive never --wait 20s";
    let output = machine.command(get).assert().success();
    let token = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(machine.issuer.is_live_access_token(token.trim_end()));
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges), (1, 1));
    eventually(|| !machine.sign_in_file("journal").exists());
}

#[test]
fn sign_in_killed_before_its_commit_is_finished_before_the_old_login_is_renewed() {
    let (machine, old) = Machine::signed_in(3600);
    let mut login = machine.start("login --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let write_lock = lock(&machine.path("auth.json.lock"));
    machine.issuer.approve(&code);
    eventually(|| is_answered(&machine.sign_in_file("journal")));
    login.kill().unwrap();
    login.wait().unwrap();
    machine.kill_renewer();
    drop(write_lock);
    machine.refuse(&old.access_token);
    let token = machine.token();
    assert!(machine.issuer.is_live_access_token(&token));
    let stored = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    assert!(machine.issuer.is_live_refresh_token(&stored));
    let counts = machine.issuer.counts();
    assert_eq!((counts.exchanges_granted, counts.refreshes), (1, 0));
}

#[test]
fn unstored_sign_in_is_recovered_for_its_own_account_whoever_comes_next() {
    for next in ["get --account ada@example.com", "get", "renew"] {
        let private = Private::new("file");
        let machine = &private.machine;
        answered_sign_in(&private, "--account grace@example.org", &grace());
        let interactive = if next == "renew" { "" } else { "--interactive never" };
        machine.command(&format!("{next} {interactive} --wait 20s")).output().unwrap();
        let get = "get --interactive never --account grace@example.org";
        machine.command(get).assert().success();
        let counts = machine.issuer.counts();
        assert_eq!((counts.user_codes, counts.exchanges, counts.revocations), (1, 1, 0), "{next}");
    }
}

#[test]
fn unstored_sign_in_is_judged_by_the_rules_of_the_request_that_started_it() {
    let private = Private::new("file");
    let machine = &private.machine;
    answered_sign_in(&private, "--account grace@example.org", &grace());
    // As if the request had named another account, and its process was killed before it judged the login.
    let journal = sign_in_file(&private, "journal");
    let text = fs::read_to_string(&journal).unwrap();
    let text = text.replace(r#""account":"grace@example.org""#, r#""account":"ada@example.com""#);
    fs::write(&journal, text).unwrap();
    let output = machine.command("get --interactive never --wait 20s").assert().code(4);
    output.stderr(contains("of grace@example.org").and(contains("ada@example.com is wanted")));
    assert_eq!(machine.issuer.counts().revocations, 1);
    machine.command("get --interactive never --wait 20s").assert().code(3);
    assert_eq!(machine.issuer.counts().exchanges, 1);
}

#[test]
fn logout_of_one_account_keeps_the_unstored_sign_in_of_another() {
    let private = Private::new("file");
    let machine = &private.machine;
    private.sign_in(&ada(), "");
    answered_sign_in(&private, "--account grace@example.org --wait 60s", &grace());
    machine.command("logout --account ada@example.com").assert().success();
    let get = "get --account grace@example.org --interactive never";
    machine.command(get).assert().success();
    assert_eq!(machine.issuer.counts().revocations, 1);
}

#[test]
fn login_for_one_account_is_not_answered_by_the_sign_in_of_another() {
    let private = Private::new("file");
    let machine = &private.machine;
    let first = machine.start("login --account grace@example.org --wait 60s");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    let second = machine.start("login --account ada@example.com --wait 60s");
    std::thread::sleep(Duration::from_millis(300));
    machine.issuer.approve_as(&code, &grace());
    succeeds(first);
    machine.approve_another_than(&code);
    succeeds(second);
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges_granted, counts.revocations), (2, 2, 0));
}

/// Ada's renewal is answered and not stored. A sign-in of Grace and a move commit it first, and judge it by Ada's rules.
#[test]
fn unstored_renewal_is_not_judged_by_the_account_of_the_next_command() {
    for next in ["login --account grace@example.org --wait 60s", "move --to file --wait 20s"] {
        let (mut machine, old) = Machine::signed_in(-1);
        machine.set("HOME", machine.codex_home().to_owned().to_str().unwrap());
        let write_lock = lock(&machine.path("auth.json.lock"));
        let mut caller = machine.start("get --wait 60s");
        eventually(|| is_answered(&machine.own("journal")));
        machine.kill_renewer();
        caller.kill().unwrap();
        caller.wait().unwrap();
        drop(write_lock);
        let command = machine.start(next);
        if next.starts_with("login") {
            let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
            eventually(|| !is_answered(&machine.own("journal")));
            assert_ne!(machine.auth_json()["tokens"]["access_token"], old.access_token);
            machine.issuer.approve_as(&code, &grace());
        }
        succeeds(command);
        let counts = machine.issuer.counts();
        assert_eq!((counts.refreshes, counts.revocations, counts.reuses), (1, 0, 0), "{next}");
    }
}

/// The commit of an approved sign-in was busy, and the next sign-in names another account.
#[test]
fn unstored_sign_in_is_stored_before_a_sign_in_of_another_account() {
    let private = Private::new("file");
    let machine = &private.machine;
    answered_sign_in(&private, "--account grace@example.org --wait 60s", &grace());
    let login = machine.start("login --account ada@example.com --wait 60s");
    machine.approve_next();
    succeeds(login);
    eventually(|| machine.renewers().is_empty());
    let journals = files(private.state.path()).into_iter().filter(|path| path.ends_with("journal"));
    assert_eq!(journals.count(), 0);
    assert_eq!(machine.issuer.counts().revocations, 0);
    for account in ["grace@example.org", "ada@example.com"] {
        let get = format!("get --account {account} --interactive never");
        machine.command(&get).assert().success();
    }
}
