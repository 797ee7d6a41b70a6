//! The real program under faults of the machine: killed at each system call, with each system call failing, on disks and
//! folders that cannot be written, and with many callers under random faults.
//!
//! `.ci/faults` installs the requirements and runs a sample; `.ci/faults --long` runs everything. Without the
//! requirements the tests are skipped.

#![expect(
    clippy::disallowed_methods,
    reason = "a variable sets the length, and the soak measures time"
)]

#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[macro_use]
#[path = "../it/attack.rs"]
mod attack;
mod errors;
mod filesystem;
#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[path = "../codex/keyring.rs"]
mod keyring;
mod kills;
mod locks;
#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;
mod report;
mod scene;
mod soak;
mod strace;
mod switch;
mod tries;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use tries::Form;

macro_rules! trials {
    ($($module:ident::$test:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if (tries::form().is_none() || !strace::is_installed() || !filesystem::may_mount())
        && !arguments.list
    {
        println!("skipped: .ci/faults installs the requirements and runs these tests");
        return ExitCode::SUCCESS;
    }
    // Each test uses all processors.
    arguments.test_threads = Some(1);
    let mut trials = trials![
        kills::refresh,
        kills::sign_in,
        kills::store,
        kills::erase,
        kills::logout,
        kills::move_to_file,
        switch::kills,
        errors::no_space,
        errors::io_error,
        errors::read_only_file_system,
        errors::too_many_open_files,
        errors::locks_unsupported,
        errors::repeated_io_errors,
        filesystem::read_only_folder,
        filesystem::read_only_file_system,
        filesystem::login_is_a_mount_point,
        filesystem::full_disk,
        filesystem::root_in_another_users_home,
        filesystem::lock_file_of_another_user,
        filesystem::links_planted_as_our_files,
        filesystem::files_readable_by_others,
        locks::locks_without_effect,
        soak::sixteen_callers,
    ];
    if tries::form() == Some(Form::Long) {
        trials.extend(trials![kills::move_to_keyring]);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
