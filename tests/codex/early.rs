//! Our early renewal prevents concurrent refreshes by Codex.

use crate::codex;
use crate::machine::{Machine, PATIENCE, eventually, token_of};
use issuer::Counts;
use std::time::Duration;

/// A lifetime at which we refresh, and Codex does not yet.
const SOON: i64 = 8 * 60;

pub fn callers_and_codex_together_cost_one_refresh() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let tokens = machine.aged_sign_in(SOON, 3600);
    let execs: Vec<_> = (0..4).map(|_| codex::start_exec(&machine)).collect();
    let callers: Vec<_> = (0..8).map(|_| machine.start("get --format token")).collect();
    for caller in callers {
        token_of(caller);
    }
    assert!(execs.into_iter().all(codex::answered));
    assert!(machine.issuer.wait_until(|counts| counts.refreshes_granted == 1, PATIENCE));
    eventually(|| machine.renewers().is_empty());
    let counts = machine.issuer.counts();
    report("4 codex exec and 8 get, a token that expires in 8 minutes", &counts);
    assert_eq!((counts.refreshes, counts.refreshes_granted, counts.reuses), (1, 1, 0));
    assert_ne!(machine.token(), tokens.access_token);
}

/// For comparison: Codex alone, with an expired token.
pub fn codex_alone_refreshes_without_coordination() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(-1);
    // Without the delay a refresh on loopback can end before the next begins.
    let slow = issuer::Fault::DelayBefore(Duration::from_millis(300));
    machine.issuer.fault(issuer::Endpoint::Refresh, slow, u32::MAX);
    let execs: Vec<_> = (0..4).map(|_| codex::start_exec(&machine)).collect();
    let answered = execs.into_iter().filter_map(|exec| codex::answered(exec).then_some(())).count();
    let counts = machine.issuer.counts();
    report("4 codex exec without us, an expired token", &counts);
    println!("  {answered} of them answered");
    assert!(counts.refreshes >= 1);
}

fn report(what: &str, counts: &Counts) {
    println!(
        "{what}: {} refresh requests, {} granted, {} refused",
        counts.refreshes,
        counts.refreshes_granted,
        counts.refreshes - counts.refreshes_granted
    );
}
