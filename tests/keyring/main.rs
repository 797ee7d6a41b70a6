//! The real program with a real Secret Service (gnome-keyring) as its storage.
//!
//! `.ci/keyring` installs gnome-keyring and runs these tests, which take minutes. `cargo test` alone skips them.

#![expect(clippy::disallowed_methods, reason = "variables that .ci/keyring and long_values.rs set")]

#[path = "../it/git/mod.rs"]
#[macro_use]
#[allow(dead_code, reason = "each of the suites uses a part of it")]
mod git;
#[path = "../codex/keyring.rs"]
#[allow(dead_code, reason = "each of the suites uses a part of it")]
mod keyring;
#[path = "../it/machine.rs"]
#[allow(dead_code, reason = "each of the suites uses a part of it")]
mod machine;

mod login;
mod long_values;
mod other_hosts;
mod unavailable;

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
    if long_values::is_child() {
        long_values::write_and_read();
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    if std::env::var_os("REAL_KEYRING").is_none() && !arguments.list {
        println!("skipped; .ci/keyring runs these tests");
        return ExitCode::SUCCESS;
    }
    let mut trials = trials![
        login::refresh_token_is_in_no_file,
        login::warm_get_does_not_use_the_keyring,
        login::get_without_runtime_folder_reads_the_keyring_each_time,
        login::missing_copy_in_memory_is_restored_from_the_keyring,
        login::many_callers_cost_one_sign_in_and_one_refresh,
        login::renew_replaces_a_valid_token_that_is_due,
        login::callers_with_different_homes_share_the_renewal_lock,
        login::move_to_the_keyring_and_back_keeps_the_login,
        login::sealed_answer_survives_probes_and_is_stored,
        long_values::long_values_are_split_into_parts,
        unavailable::locked_keyring_is_an_error_and_starts_no_sign_in,
        unavailable::absent_keyring_is_an_error_and_starts_no_sign_in,
        unavailable::hung_keyring_fails_within_the_wait,
        unavailable::keyring_killed_during_renewal_loses_no_login,
        other_hosts::secrets_are_in_no_file,
        other_hosts::locked_keyring_is_an_error_not_an_empty_answer,
        other_hosts::absent_keyring_is_an_error_not_an_empty_answer,
        other_hosts::hung_keyring_fails_within_the_wait,
        other_hosts::keyring_killed_during_stores_loses_no_credential,
        other_hosts::profiles_own_host_is_answered_while_the_keyring_hangs,
    ];
    trials.extend(other_hosts::cases());
    libtest_mimic::run(&arguments, trials).exit_code()
}
