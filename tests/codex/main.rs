//! The real Codex CLI and a real Secret Service, sharing one login with the real program.
//!
//! `.ci/codex` installs both and runs this. Without them it says so in one line.

#![expect(clippy::disallowed_methods, reason = "REAL_CODEX and PATH come in here")]

mod codex;
#[allow(dead_code, reason = "each of the two suites uses a part of it")]
mod keyring;
#[allow(dead_code, reason = "each of the two suites uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;

mod bundle;
mod early;
mod helper;
mod locks;
mod race;
mod sign_in;
mod sign_out;

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
    if codex::program().is_none() && !arguments.list {
        println!("skipped: no real Codex CLI; .ci/codex installs it and runs these tests");
        return ExitCode::SUCCESS;
    }
    let trials = trials![
        sign_in::ours_signs_codex_in,
        sign_in::codexs_signs_us_in,
        sign_in::ours_signs_codex_in_through_the_keyring,
        sign_in::codexs_signs_us_in_through_the_keyring,
        sign_in::auto_finds_the_login_in_either_place,
        sign_in::a_renewal_is_seen_by_codex_in_the_keyring,
        sign_in::a_locked_keyring_is_said_to_be_locked_and_no_second_login_is_begun,
        sign_out::codexs_logout_makes_get_start_over,
        sign_out::our_logout_signs_codex_out,
        sign_out::our_logout_signs_codex_out_of_the_keyring,
        early::callers_and_codex_together_cost_one_refresh,
        early::what_codex_does_by_itself,
        bundle::codex_works_with_a_bundle_to_its_end,
        helper::from_an_empty_cache_codex_shows_url_and_code_and_answers_after_the_approval,
        race::a_refresh_by_codex_that_wins_loses_no_login,
        race::a_refresh_by_us_that_wins_is_taken_up_by_codex,
        locks::codex_reads_at_once_and_logs_out_after_a_renewal,
        locks::a_foreign_lock_keeps_a_renewal_waiting_and_its_holder_is_named,
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
