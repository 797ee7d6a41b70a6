//! A real Secret Service as the storage of the real program's logins.
//!
//! `.ci/keyring` installs one and runs this. Without it it says so in one line.

#![expect(clippy::disallowed_methods, reason = "PATH and what long.rs hands itself come in here")]

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

mod git_items;
mod login;
mod long;
mod trouble;

use libtest_mimic::{Arguments, Trial};
use std::process::{Command, ExitCode};

macro_rules! trials {
    ($($module:ident::$test:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),*]
    };
}

fn main() -> ExitCode {
    if long::is_asked_for() {
        long::write_and_read();
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let is_there = Command::new("gnome-keyring-daemon").arg("--version").output().is_ok();
    if !is_there && !arguments.list {
        println!("skipped: no gnome-keyring; .ci/keyring installs it and runs these tests");
        return ExitCode::SUCCESS;
    }
    let mut trials = trials![
        login::the_refresh_token_is_in_no_file,
        login::a_warm_get_asks_no_keyring,
        login::without_a_folder_in_memory_the_keyring_is_asked_each_time,
        login::after_a_restart_the_copy_is_made_anew,
        login::a_crowd_renews_once,
        login::two_homes_meet_at_the_lock,
        login::a_login_moves_into_the_keyring_and_out_again,
        long::values_longer_than_an_item_takes_are_split,
        trouble::locked_is_not_signed_out,
        trouble::absent_is_not_signed_out,
        trouble::a_keyring_that_never_answers_is_given_up_in_time,
        trouble::a_keyring_killed_in_mid_renewal_loses_nothing,
        git_items::the_secrets_are_in_no_file,
        git_items::locked_is_not_unknown,
        git_items::absent_is_not_unknown,
        git_items::one_that_never_answers_is_given_up_in_time,
        git_items::one_that_is_killed_in_the_middle_loses_nothing,
        git_items::our_own_host_is_answered_while_it_hangs,
    ];
    trials.extend(git_items::cases());
    libtest_mimic::run(&arguments, trials).exit_code()
}
