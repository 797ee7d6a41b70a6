//! Real programs that ask us for a token: curl, git, the `OpenAI` SDKs, Codex, Claude Code, opencode, pi, Docker and
//! kubectl. A real browser approves the sign-in.
//!
//! `.ci/consumers` installs the programs and runs the tests. Without the programs, the tests are skipped.

#![expect(
    clippy::disallowed_methods,
    reason = "variables name the programs, and one test runs for a real time"
)]

#[path = "../browser/mod.rs"]
mod browser;
mod codex;
mod crowd;
mod gate;
mod https;
mod javascript;
#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;
mod sign_in;
mod single;
mod tools;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

macro_rules! trials {
    ($($module:ident::$test:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if tools::program("REAL_CLAUDE").is_none() && !arguments.list {
        println!("skipped: no real consumers; .ci/consumers installs them and runs these tests");
        return ExitCode::SUCCESS;
    }
    let trials = trials![
        single::curl,
        single::git,
        single::openai_python,
        single::codex,
        single::claude_code,
        single::openai_js,
        single::pi,
        single::opencode,
        single::docker,
        single::kubectl,
        sign_in::codex_from_an_empty_cache,
        sign_in::chromium_denies,
        crowd::five_consumers_while_tokens_expire_every_20_seconds,
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
