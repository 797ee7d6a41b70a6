//! Each tool by itself, as its recipe says.

use crate::machine::Machine;
use crate::tools::{self, Outcome};

fn answered(consumer: fn(&Machine) -> Outcome, requests: u64) {
    let (machine, _) = Machine::signed_in(3600);
    consumer(&machine).unwrap_or_else(|said| panic!("{said}"));
    let counts = machine.issuer.counts();
    assert_eq!((counts.responses, counts.responses_refused), (requests, 0));
}

pub fn curl() {
    answered(tools::curl, 1);
}

pub fn git() {
    answered(tools::git, 1);
}

pub fn openai_python() {
    answered(tools::openai_python, 5);
}

pub fn codex() {
    answered(tools::codex, 1);
}

pub fn claude_code() {
    answered(tools::claude_code, 1);
}
