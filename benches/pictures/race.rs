//! Runs many Codex processes at once and counts the refresh requests, and those that the server refuses.

use crate::codex;
use crate::machine::{Machine, eventually};
use issuer::{Endpoint, Fault};
use std::process::Child;
use std::time::Duration;

const CROWDS: [usize; 5] = [1, 2, 4, 8, 16];
const ROUNDS: usize = 3;
/// The delay of a distant server. On loopback, one request would end before the next one starts.
const ROUND_TRIP: Duration = Duration::from_millis(300);
/// The remaining lifetime in seconds of a token that this program renews, but Codex does not renew yet.
const DUE: i64 = 8 * 60;
const EXPIRED: i64 = -1;

/// The token command and the state of the login.
#[derive(Clone, Copy)]
enum Case {
    /// Codex without this program; the token has expired.
    Alone,
    /// Codex with this program as its token command and the login in auth.json; the token is due for renewal.
    Shared,
    /// As `Shared`, with an expired token, for which Codex does not wait for this program.
    SharedExpired,
    /// As `SharedExpired`, with the profile that `configure codex` writes: Codex does not load its own login.
    SharedProfile,
    /// Codex with this program as its token command and the login in a storage of this program; the token has expired.
    Apart,
}

const CASES: [(Case, &str); 5] = [
    (Case::Alone, "alone"),
    (Case::Shared, "shared"),
    (Case::SharedExpired, "shared_expired"),
    (Case::SharedProfile, "shared_profile"),
    (Case::Apart, "apart"),
];

/// Returns a CSV table with one line per run.
pub fn table() -> String {
    let mut table = "case,processes,round,refresh_requests,refused,answered\n".to_owned();
    for processes in CROWDS {
        for round in 1..=ROUNDS {
            for (case, name) in CASES {
                let line = format!("{name},{processes},{round},{}\n", crowd(processes, case));
                print!("{line}");
                table.push_str(&line);
            }
        }
    }
    table
}

fn crowd(processes: usize, case: Case) -> String {
    let mut machine = Machine::new();
    codex::configure(&machine, "file");
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayBefore(ROUND_TRIP), u32::MAX);
    let lifetime = if matches!(case, Case::Shared) { DUE } else { EXPIRED };
    machine.aged_sign_in(lifetime, 3600);
    if matches!(case, Case::Apart) {
        let state = machine.path("state").to_str().expect("UTF-8").to_owned();
        machine.set("XDG_STATE_HOME", &state);
        machine.command("move --to file").assert().success();
        machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    }
    if !matches!(case, Case::Alone) {
        let url = machine.issuer.url();
        machine.command(&format!("configure codex --base-url {url}/v1")).assert().success();
    }
    let choice: &[&str] = match case {
        Case::Alone => &[],
        Case::SharedProfile => &["-p", "codex-credential"],
        _ => &["-c", "model_provider=codex-credential"],
    };
    let started: Vec<Child> =
        (0..processes).map(|_| codex::start_exec_with(&machine, choice)).collect();
    let answered = started.into_iter().map(codex::answered).filter(|answered| *answered).count();
    // A token that is due is renewed in the background.
    eventually(|| machine.renewers().is_empty() && machine.issuer.counts().in_flight == 0);
    let counts = machine.issuer.counts();
    format!("{},{},{answered}", counts.refreshes, counts.refreshes - counts.refreshes_granted)
}
