//! A logout by Codex or by our program signs out both.

use crate::codex;
use crate::keyring::Keyring;
use crate::machine::{Machine, token_of};

pub fn get_signs_in_again_after_codexs_logout() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    codex::login(&machine);
    machine.token();
    assert!(codex::run(&machine, &["logout"]).status.success());
    let caller = machine.start("get --format token --wait 60s");
    machine.approve_next();
    token_of(caller);
    assert_eq!(machine.issuer.counts().user_codes, 2);
}

fn assert_our_logout_signs_codex_out(machine: &Machine) {
    codex::login(machine);
    let refresh_tokens = machine.issuer.counts().exchanges_granted;
    assert_eq!(refresh_tokens, 1);
    let output = machine.command("logout").assert().success();
    let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(says.contains("Codex is signed out, too"), "{says}");
    assert_eq!(codex::status(machine), ("Not logged in".to_owned(), false));
    assert_eq!(codex::run(machine, &["login", "status"]).status.code(), Some(1));
    assert_eq!(machine.issuer.counts().revocations, 1);
    machine.command("status").assert().code(3);
}

pub fn our_logout_signs_codex_out() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    assert_our_logout_signs_codex_out(&machine);
}

pub fn our_logout_signs_codex_out_of_the_keyring() {
    let mut machine = Machine::new();
    let keyring = Keyring::unlocked(&mut machine);
    codex::configure(&machine, "keyring");
    assert_our_logout_signs_codex_out(&machine);
    assert_eq!(keyring.codex_item(), "");
}
