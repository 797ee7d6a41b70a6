//! What a `get` costs: `cargo bench --bench warm`.
//!
//! Prints its tables and writes them into docs/performance.md: one warm call side by side with what else hands out a
//! secret, many callers at once, many logins stored, and a renewal beside curl; those whose names it is given, else all.
//! With `--budget` it builds the static release alone, counts its instructions, page faults, system calls and memory,
//! and fails where one is over its budget; nothing that is counted depends on the speed of the machine. With `--order` it
//! writes down which functions are to lie together in the next static release.
#![expect(
    clippy::disallowed_methods,
    reason = "peers come in by variables; the time is what is measured"
)]

mod budget;
mod contenders;
mod crowds;
mod growth;
mod logins;
mod measure;
mod order;
mod renewal;
mod report;

use contenders::{Built, Contender, built};
use logins::Logins;
use std::process::ExitCode;

/// Rounds of one call each, in shuffled order.
const ROUNDS: usize = 300;

fn main() -> ExitCode {
    let logins = Logins::new();
    if std::env::args().any(|argument| argument == "--budget") {
        return budget::hold(&logins);
    }
    if std::env::args().any(|argument| argument == "--order") {
        order::write(&logins);
        return ExitCode::SUCCESS;
    }
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|named| named == name);
    let built = built();
    if is_wanted("warm") {
        report::write("warm", &warm(&logins, &built));
    }
    if is_wanted("crowds") {
        report::write("crowds", &crowds::table(&built.fixed));
    }
    if is_wanted("growth") {
        report::write("growth", &growth::table(&built.fixed));
    }
    if is_wanted("renewal") {
        report::write("renewal", &renewal::table(&built.fixed));
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
