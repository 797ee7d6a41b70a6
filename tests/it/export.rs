//! `export --full`: the login with its refresh token, for a machine that is to renew it.

use crate::machine::{Machine, eventually, is_answered, lock};
use crate::terminal::run;
use predicates::str::{contains, is_empty};
use serde_json::Value;

fn full(machine: &Machine) -> Value {
    let output = machine.command("export --full --yes --wait 20s").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

#[test]
fn full_export_can_be_imported_and_renewed() {
    let (machine, tokens) = Machine::signed_in(3600);
    let exported = full(&machine);
    assert_eq!(exported["tokens"]["refresh_token"], tokens.refresh_token);
    let other = Machine::new();
    other.write_auth_json(&exported);
    machine.issuer.invalidate_access_token(&tokens.access_token);
    other.refuse(&tokens.access_token);
    let mut get = other.command("get --format token --wait 20s");
    get.env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url()).assert().success();
    assert_eq!(machine.issuer.counts().refreshes_granted, 1);
}

#[test]
fn without_a_terminal_full_export_needs_yes() {
    let (machine, _) = Machine::signed_in(3600);
    let refused = machine.command("export --full").write_stdin("y\n").assert().code(2);
    refused.stdout(is_empty()).stderr(contains("hint: to export it anyway, add --yes"));
    machine.command("export --yes").assert().code(2).stdout(is_empty());
}

#[test]
fn on_a_terminal_full_export_explains_and_asks() {
    let (machine, tokens) = Machine::signed_in(3600);
    let mut terminal = run(&machine, "export --full --show");
    terminal.exp_string("the first that renews ends the other").unwrap();
    terminal.exp_string("export the refresh token? [y/N]").unwrap();
    terminal.send_line("n").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("nothing was exported") && !rest.contains(&tokens.refresh_token));
}

#[test]
fn login_that_cannot_be_renewed_is_not_exported_in_full() {
    let (machine, _) = Machine::signed_in(3600);
    let access_only = machine.command("export").assert().success().get_output().stdout.clone();
    machine.write_auth_json(&serde_json::from_slice(&access_only).unwrap());
    let refused = machine.command("export --full --yes").assert().code(3);
    refused.stdout(is_empty()).stderr(contains("cannot be renewed"));
    Machine::new().command("export --full --yes --interactive never").assert().code(3);
}

/// The stored refresh token was used by a renewal that was killed before its answer was stored.
#[test]
fn full_export_after_a_killed_renewal_has_the_new_refresh_token() {
    let machine = Machine::new();
    let tokens = machine.aged_sign_in(8 * 60, 3600);
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut caller = machine.start("get");
    eventually(|| is_answered(&machine.own("journal")));
    machine.kill_renewer();
    caller.kill().unwrap();
    caller.wait().unwrap();
    drop(write_lock);
    let exported = full(&machine);
    let exported = exported["tokens"]["refresh_token"].as_str().unwrap();
    assert_ne!(exported, tokens.refresh_token);
    assert!(machine.issuer.is_live_refresh_token(exported));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
