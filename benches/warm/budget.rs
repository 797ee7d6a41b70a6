//! What a warm `get` of the static release may cost.

use crate::contenders::{self, STATIC_TARGET};
use crate::logins::Logins;
use crate::measure::{Counts, counts};
use std::process::ExitCode;

struct Budget {
    instructions: u64,
    system_calls: u64,
    page_faults: u64,
}

const TOKEN: Budget = Budget { instructions: 55_000, system_calls: 36, page_faults: 36 };
const GIT: Budget = Budget { instructions: 70_000, ..TOKEN };
/// Times the static floor's. This and page faults differ by a few windows with what the page cache has.
const MEMORY: f64 = 1.5;

pub fn hold(logins: &Logins) -> ExitCode {
    let program = contenders::build(Some(STATIC_TARGET));
    let floor = counts(&contenders::floors(logins)[0]).memory.expect("strace is here");
    let ours = contenders::ours("static", &program, logins);
    let mut overdrawn = 0;
    let mut held = 0;
    for (contender, budget) in ours.iter().zip([TOKEN, GIT]) {
        for (what, is, may_be) in lines(&counts(contender), &budget, floor) {
            let is = is.unwrap_or_else(|| {
                panic!("{what} cannot be counted; are valgrind and strace here?")
            });
            let over = is > may_be;
            overdrawn += u32::from(over);
            held += u32::from(!over);
            println!(
                "{}: {what} {is} of {may_be}{}",
                contender.name,
                if over { " OVER" } else { "" }
            );
        }
    }
    println!("{held} passed, {overdrawn} failed");
    if overdrawn == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "some hundred KiB"
)]
fn lines(counts: &Counts, budget: &Budget, floor: u64) -> [(&'static str, Option<u64>, u64); 4] {
    [
        ("instructions", counts.instructions, budget.instructions),
        ("system calls", counts.system_calls, budget.system_calls),
        ("page faults", counts.page_faults, budget.page_faults),
        ("KiB of memory", counts.memory, (floor as f64 * MEMORY) as u64),
    ]
}
