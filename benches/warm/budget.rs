//! Checks the cost of a `get` with a valid token. Prints each figure with its limit.

use crate::contenders::{self, Contender, built};
use crate::logins::Logins;
use crate::measure::{self, ratio};
use std::fmt::Display;
use std::process::ExitCode;

const PAIRS: usize = 1000;

/// The limit for the time of the static release, relative to the static C program of floor.c.
const RATIO_TO_FLOOR: f64 = 0.95;
const SYSTEM_CALLS: u64 = 40;
const PAGE_FAULTS: u64 = 45;
/// The limit for the time of the dynamic release, relative to `git credential-store`.
const RATIO_TO_GIT: f64 = 1.0;

pub fn check(logins: &Logins) -> ExitCode {
    let built = built();
    let fixed = contenders::codex_token("static", &built.fixed, logins);
    let release = contenders::codex_token("release", &built.release, logins);
    let [floor, ..] = contenders::floors(logins);
    let [store, _] = contenders::git(logins);
    let counts = measure::counts(&fixed);
    let are_kept = [
        is_kept("static: system calls", counts.system_calls.expect("strace runs"), SYSTEM_CALLS),
        is_kept("static: page faults", counts.page_faults.expect("/proc is mounted"), PAGE_FAULTS),
        is_kept("static: times the C floor", in_pairs(fixed, floor), RATIO_TO_FLOOR),
        is_kept("release: times git-credential-store", in_pairs(release, store), RATIO_TO_GIT),
    ];
    let kept = are_kept.iter().filter(|&&is_kept| is_kept).count();
    println!("{kept} passed, {} failed", are_kept.len() - kept);
    if kept == are_kept.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the median of the ratios of the wall times of `ours` and `other`, pair by pair.
fn in_pairs(ours: Contender, other: Contender) -> f64 {
    ratio(&measure::walls(&[other, ours], PAIRS), 1)
}

fn is_kept<T: Copy + PartialOrd + Display>(what: &str, figure: T, limit: T) -> bool {
    let is_kept = figure <= limit;
    let verdict = if is_kept { "ok" } else { "FAILED" };
    println!("{verdict}: {what}: {figure:.3}, at most {limit:.3}");
    is_kept
}
