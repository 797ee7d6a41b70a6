//! The real Codex CLI and the real program share one login, in a file or in a real Secret Service.
//!
//! `.ci/codex` installs Codex and gnome-keyring and runs these tests. Without Codex they are skipped.

#![expect(clippy::disallowed_methods, reason = "REAL_CODEX and PATH")]

mod codex;
#[allow(dead_code, reason = "each of the two suites uses a part of it")]
mod keyring;
#[allow(dead_code, reason = "each of the two suites uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;

mod bundle;
mod early;
mod locks;
mod race;
mod sign_in;
mod sign_out;
mod token_command;

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
        sign_in::our_sign_in_signs_codex_in,
        sign_in::codexs_sign_in_signs_us_in,
        sign_in::our_sign_in_signs_codex_in_through_the_keyring,
        sign_in::codexs_sign_in_signs_us_in_through_the_keyring,
        sign_in::auto_storage_finds_the_login_in_keyring_or_file,
        sign_in::codex_uses_a_login_that_we_renewed_in_the_keyring,
        sign_in::locked_keyring_is_reported_and_starts_no_sign_in,
        sign_out::get_signs_in_again_after_codexs_logout,
        sign_out::our_logout_signs_codex_out,
        sign_out::our_logout_signs_codex_out_of_the_keyring,
        early::callers_and_codex_together_cost_one_refresh,
        early::codex_alone_refreshes_without_coordination,
        bundle::codex_works_with_an_access_only_bundle_until_it_expires,
        token_command::codex_runs_a_program_in_an_oddly_named_folder,
        token_command::codex_without_login_shows_url_and_code_and_works_after_approval,
        race::refresh_by_codex_first_loses_no_login,
        race::refresh_by_us_first_is_adopted_by_codex,
        locks::during_a_renewal_codex_reads_at_once_and_its_logout_waits,
        locks::renewal_blocked_by_auth_lock_names_the_holder,
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
