//! Identity providers that are not ours, with a real browser as the person.
//!
//! `.ci/providers` installs them and runs this. Without them it says so in one line.

#![expect(clippy::disallowed_methods, reason = "programs come in by variables")]

#[path = "../browser/mod.rs"]
mod browser;
mod control;
#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;
mod provider;

use libtest_mimic::{Arguments, Trial};
use provider::Kind;
use std::process::ExitCode;

/// Each against both.
macro_rules! trials {
    ($($module:ident::$test:ident),* $(,)?) => {
        [Kind::OidcProvider, Kind::Django].into_iter().flat_map(|kind| [$(
            Trial::test(
                format!("{}::{}::{}", kind.name(), stringify!($module), stringify!($test)),
                move || {
                    $module::$test(kind);
                    Ok(())
                },
            )
        ),*]).collect()
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if std::env::var_os("REAL_DJANGO").is_none() && !arguments.list {
        println!(
            "skipped: no identity providers; .ci/providers installs them and runs these tests"
        );
        return ExitCode::SUCCESS;
    }
    let trials = trials![
        control::a_rotated_token_that_comes_back_is_seen_and_ends_the_login,
        control::a_denial_is_said_to_the_program,
        control::what_is_revoked_is_no_longer_active,
        control::discovery_does_not_always_tell_where_device_logins_begin,
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
