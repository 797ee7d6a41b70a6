//! Codex refreshes without asking us; whoever wins, no login is lost.

use crate::codex;
use crate::machine::{Machine, PATIENCE, token_of};
use issuer::{Endpoint, Fault};
use std::time::Duration;

/// Codex's request is at the server first; ours comes second and is refused.
pub fn a_refresh_by_codex_that_wins_loses_no_login() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let old = machine.sign_in(-1);
    // Rotated at once, answered late: ours meets a spent token.
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
        "Codex won the race: {} refresh requests, {} refused, {} user codes",
        counts.refreshes, counts.reuses, counts.user_codes
    );
    assert_eq!((counts.refreshes_granted, counts.user_codes), (1, 0));
    assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens[0]);
}

/// Ours is first, Codex's is refused: Codex reads the file again and goes on with our token.
pub fn a_refresh_by_us_that_wins_is_taken_up_by_codex() {
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
        "we won the race: {} refresh requests, {} refused, {} user codes",
        counts.refreshes, counts.reuses, counts.user_codes
    );
    assert_eq!((counts.refreshes_granted, counts.user_codes), (1, 0));
}
