//! Codex and our program refresh at the same time. No login is lost, whichever is first.

use crate::codex;
use crate::machine::{Machine, PATIENCE, token_of};
use issuer::{Endpoint, Fault};
use std::time::Duration;

/// The server grants Codex's request and refuses ours.
pub fn refresh_by_codex_first_loses_no_login() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let old = machine.sign_in(-1);
    // The server rotates the token at once and answers late, so that our request has the old token.
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(1500)), 1);
    let exec = codex::start_exec(&machine);
    assert!(machine.issuer.wait_until(|counts| counts.refreshes_granted == 1, PATIENCE));
    let callers: Vec<_> = (0..4).map(|_| machine.start("get --format token --wait 60s")).collect();
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(codex::answered(exec));
    assert!(tokens.iter().all(|token| *token == tokens[0] && *token != old.access_token));
    assert!(machine.issuer.is_live_access_token(&tokens[0]));
    let counts = machine.issuer.counts();
    println!(
        "Codex refreshed first: {} refresh requests, {} refused, {} user codes",
        counts.refreshes, counts.reuses, counts.user_codes
    );
    assert_eq!((counts.refreshes_granted, counts.user_codes), (1, 0));
    assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens[0]);
}

/// The server grants our request and refuses Codex's. Codex reads the file again and uses our token.
pub fn refresh_by_us_first_is_adopted_by_codex() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayBefore(Duration::from_secs(2)), 1);
    let exec = codex::start_exec(&machine);
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    let token = machine.token();
    assert!(codex::answered(exec));
    assert_eq!(machine.token(), token);
    let counts = machine.issuer.counts();
    println!(
        "we refreshed first: {} refresh requests, {} refused, {} user codes",
        counts.refreshes, counts.reuses, counts.user_codes
    );
    assert_eq!((counts.refreshes_granted, counts.user_codes), (1, 0));
}
