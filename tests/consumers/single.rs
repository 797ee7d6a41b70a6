//! Each tool alone, as its page in helpers/ says.

use crate::machine::Machine;
use crate::tools::{self, Outcome};
use crate::{https, javascript};
use std::ops::RangeBounds;

fn answered(consumer: fn(&Machine) -> Outcome, requests: impl RangeBounds<u64>) {
    let (machine, _) = Machine::signed_in(3600);
    consumer(&machine).unwrap_or_else(|said| panic!("{said}"));
    let counts = machine.issuer.counts();
    assert!(requests.contains(&counts.responses), "{} requests", counts.responses);
    assert_eq!(counts.responses_refused, 0);
}

pub fn curl() {
    answered(tools::curl, 1..=1);
}

pub fn git() {
    answered(tools::git, 1..=1);
}

pub fn openai_python() {
    answered(tools::openai_python, 5..=5);
}

pub fn codex() {
    answered(tools::codex, 1..=1);
}

pub fn claude_code() {
    answered(tools::claude_code, 1..=1);
}

pub fn openai_js() {
    answered(javascript::openai_js, 5..=5);
}

pub fn pi() {
    answered(javascript::pi, 1..=1);
}

/// opencode sends a second request, for a title.
pub fn opencode() {
    answered(javascript::opencode, 1..);
}

pub fn docker() {
    answered(https::docker, 1..);
}

pub fn kubectl() {
    answered(https::kubectl, 1..=1);
}
