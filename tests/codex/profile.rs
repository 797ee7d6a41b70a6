//! Codex with the profile that `configure codex` writes: it does not load its own login, and so does not refresh it.

use crate::codex;
use crate::machine::{Machine, eventually};
use issuer::{Endpoint, Fault};
use std::collections::BTreeSet;
use std::time::Duration;

const PROFILE: [&str; 2] = ["-p", "codex-credential"];
const PROVIDER: [&str; 2] = ["-c", "model_provider=codex-credential"];

fn configured(lifetime: i64) -> Machine {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(lifetime);
    let url = machine.issuer.url();
    machine.command(&format!("configure codex --base-url {url}/v1")).assert().success();
    machine
}

pub fn sixteen_codex_with_the_profile_and_an_expired_login_cost_one_refresh() {
    for round in 1..=3 {
        let machine = configured(-1);
        // Without the delay a refresh on loopback can end before the next begins.
        let slow = Fault::DelayBefore(Duration::from_millis(300));
        machine.issuer.fault(Endpoint::Refresh, slow, u32::MAX);
        let execs: Vec<_> = (0..16).map(|_| codex::start_exec_with(&machine, &PROFILE)).collect();
        let answered = execs.into_iter().map(codex::answered).filter(|answered| *answered).count();
        eventually(|| machine.renewers().is_empty());
        let counts = machine.issuer.counts();
        let refused = counts.refreshes - counts.refreshes_granted;
        println!(
            "16 codex exec -p codex-credential, an expired shared login, round {round}: \
             {} refresh requests, {refused} refused, {answered} answers",
            counts.refreshes
        );
        assert_eq!((counts.refreshes, refused, answered), (1, 0, 16));
        assert_eq!(codex::status(&machine), ("Logged in using ChatGPT".to_owned(), true));
        assert!(codex::exec(&machine), "Codex without the profile uses the same login");
        assert_eq!(machine.issuer.counts().refreshes, 1);
    }
}

/// Returns the paths below `chatgpt_base_url` that one `codex exec` asks for.
fn side_requests(choice: &[&str]) -> BTreeSet<String> {
    let machine = configured(3600);
    assert!(codex::answered(codex::start_exec_with(&machine, choice)));
    let paths = machine.issuer.log().into_iter().map(|entry| entry.path);
    paths.filter(|path| path.starts_with("/backend-api/")).collect()
}

/// What a run with the profile lacks: account settings and plugins, which Codex asks for with its own login.
pub fn with_the_profile_codex_makes_no_side_requests() {
    let provider = side_requests(&PROVIDER);
    let profile = side_requests(&PROFILE);
    println!("codex exec {}: side requests {provider:?}", PROVIDER.join(" "));
    println!("codex exec {}: side requests {profile:?}", PROFILE.join(" "));
    assert!(!provider.is_empty() && profile.is_empty());
}
