//! Measures `get`: `cargo bench --profile dev --bench warm`.
//!
//! Prints three tables, or those named after `--`: `warm` (one call compared with other programs, also written to
//! docs/performance.md), `crowds` (many callers at once) and `renewal` (a renewal compared with curl). `--budget` checks
//! the limits of budget.rs instead and fails if one is exceeded.
#![expect(clippy::disallowed_methods, reason = "reads ROUNDS and measures time")]

mod budget;
mod contenders;
mod crowds;
mod logins;
mod measure;
mod renewal;
mod report;

use contenders::{Built, Contender, built};
use logins::Logins;
use std::process::ExitCode;

/// The number of rounds. Each round calls every program once, in shuffled order.
const ROUNDS: usize = 300;

fn main() -> ExitCode {
    let logins = Logins::new();
    if std::env::args().any(|argument| argument == "--budget") {
        return budget::check(&logins);
    }
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|named| named == name);
    let built = built();
    if is_wanted("warm") {
        let table = warm(&logins, &built);
        println!("{table}");
        report::write(&table);
    }
    if is_wanted("crowds") {
        println!("{}", crowds::table(&built.fixed));
    }
    if is_wanted("renewal") {
        println!("{}", renewal::table(&built.fixed));
    }
    ExitCode::SUCCESS
}

fn warm(logins: &Logins, built: &Built) -> String {
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let contenders: Vec<Contender> = contenders::all(logins, built);
    let walls = measure::walls(&contenders, rounds);
    let counts: Vec<_> = contenders.iter().map(measure::counts).collect();
    report::table(&contenders, &walls, &counts)
}
