//! Faults of the machine against the real program: killed at each system call, each system call failing, disks and
//! folders that take no writes, and all of it at random under a crowd.
//!
//! `.ci/faults` installs what this needs and runs it; `.ci/faults --long` leaves nothing out. Without it it says so in
//! one line.

#![expect(
    clippy::disallowed_methods,
    reason = "how long is asked for by a variable; time is what a soak is made of"
)]

#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[macro_use]
#[path = "../it/attack.rs"]
mod attack;
mod errors;
mod ground;
#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[path = "../codex/keyring.rs"]
mod keyring;
mod kills;
mod locks;
#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;
mod many;
mod report;
mod scene;
mod soak;
mod strace;

use libtest_mimic::{Arguments, Trial};
use many::Form;
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
    let mut arguments = Arguments::from_args();
    if (many::form().is_none() || !strace::is_there() || !ground::may_mount()) && !arguments.list {
        println!("skipped: .ci/faults installs what these attacks need and runs them");
        return ExitCode::SUCCESS;
    }
    // Each of them uses the whole machine.
    arguments.test_threads = Some(1);
    let mut trials = trials![
        kills::refresh,
        kills::device_login,
        kills::store,
        kills::erase,
        kills::logout,
        kills::move_,
        errors::no_space,
        errors::broken_disk,
        errors::read_only,
        errors::too_many_files,
        errors::no_locks,
        errors::broken_for_a_moment,
        ground::read_only_folder,
        ground::read_only_file_system,
        ground::mounted_login,
        ground::full_disk,
        ground::another_persons_home,
        ground::foreign_lock_files,
        ground::planted_links,
        ground::open_to_others,
        locks::exclude_nobody,
        soak::sixteen_callers,
    ];
    if many::form() == Some(Form::Long) {
        trials.extend(trials![kills::move_keyring]);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
