//! What one warm `get` costs, side by side with what else hands out a secret: `cargo bench --bench warm`.
//!
//! Prints one table and writes it into docs/performance.md. With `--budget` it builds the static release alone, counts
//! its instructions, page faults, system calls and memory, and fails where one is over its budget; nothing that is
//! counted depends on the speed of the machine.
#![expect(
    clippy::disallowed_methods,
    reason = "peers come in by variables; the time is what is measured"
)]

mod budget;
mod contenders;
mod logins;
mod measure;
mod report;

use contenders::{Contender, built};
use std::process::ExitCode;

/// Rounds of one call each, in shuffled order.
const ROUNDS: usize = 300;

fn main() -> ExitCode {
    let logins = logins::Logins::new();
    if std::env::args().any(|argument| argument == "--budget") {
        return budget::hold(&logins);
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let contenders: Vec<Contender> = contenders::all(&logins, &built());
    let walls = measure::walls(&contenders, rounds);
    let counts: Vec<_> = contenders.iter().map(measure::counts).collect();
    report::write(&report::table(&contenders, &walls, &counts));
    ExitCode::SUCCESS
}
