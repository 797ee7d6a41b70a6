//! What the real Codex asks ChatGPT's backend, and when it renews a token without an expiry. `status` follows both.

use crate::app_server::AppServer;
use crate::codex;
use crate::machine::Machine;
use codex_credential::clock;
use serde_json::json;
use std::collections::BTreeSet;

fn signed_in() -> Machine {
    let (machine, _) = Machine::signed_in(7200);
    codex::configure(&machine, "file");
    machine
}

fn asked(machine: &Machine) -> BTreeSet<String> {
    let log =
        machine.issuer.log().into_iter().map(|entry| format!("{} {}", entry.method, entry.path));
    log.filter(|request| request.contains("/backend-api/wham/")).collect()
}

pub fn check_asks_what_codex_asks_at_its_start() {
    let machine = signed_in();
    let _ = machine.command("status --check").output().unwrap();
    let ours = asked(&machine);
    assert_eq!(ours, ["GET /backend-api/wham/accounts/check".to_owned()].into());
    let codex = signed_in();
    assert!(codex::exec(&codex));
    assert!(asked(&codex).is_superset(&ours), "{:?}", asked(&codex));
}

pub fn usage_asks_what_codex_asks_for_its_limits() {
    let machine = signed_in();
    let _ = machine.command("status --usage").output().unwrap();
    let ours = asked(&machine);
    assert_eq!(ours, ["GET /backend-api/wham/usage".to_owned()].into());
    let codex = signed_in();
    AppServer::start(&codex).call("account/rateLimits/read", &json!({}));
    assert!(asked(&codex).is_superset(&ours), "{:?}", asked(&codex));
}

pub fn token_without_an_expiry_is_renewed_eight_days_after_the_last_refresh() {
    for (days, expected) in [(7, 0), (9, 1)] {
        let machine = signed_in();
        let mut login = machine.auth_json();
        login["tokens"]["access_token"] = json!("opaque");
        login["last_refresh"] = json!(clock::rfc3339(clock::now() - days * 24 * 3600));
        machine.write_auth_json(&login);
        AppServer::start(&machine).call("account/rateLimits/read", &json!({}));
        assert_eq!(machine.issuer.counts().refreshes, expected, "after {days} days");
    }
}
