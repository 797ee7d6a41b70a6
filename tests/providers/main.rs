//! Identity providers that are not ours, with a real browser as the person.
//!
//! `.ci/providers` installs them and runs this. Without them it says so in one line.

#![expect(clippy::disallowed_methods, reason = "programs come in by variables")]

mod account;
#[path = "../browser/mod.rs"]
mod browser;
mod codex;
mod control;
mod home;
#[allow(dead_code, reason = "each of the suites uses a part of it")]
#[path = "../it/machine.rs"]
mod machine;
mod provider;
mod renewal;
mod sign_in;
mod sign_out;

use libtest_mimic::{Arguments, Trial};
use provider::Kind;
use std::process::ExitCode;

macro_rules! trials {
    ($kinds:expr; $($module:ident::$test:ident),* $(,)?) => {
        $kinds.into_iter().flat_map(|kind: Kind| [$(
            Trial::test(
                format!("{}::{}::{}", kind.name(), stringify!($module), stringify!($test)),
                move || {
                    $module::$test(kind);
                    Ok(())
                },
            )
        ),*])
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They mostly wait: for a poll, an expiry, a page.
    arguments.test_threads.get_or_insert(4);
    if std::env::var_os("REAL_DJANGO").is_none() && !arguments.list {
        println!(
            "skipped: no identity providers; .ci/providers installs them and runs these tests"
        );
        return ExitCode::SUCCESS;
    }
    let both = trials![
        [Kind::OidcProvider, Kind::Django];
        control::a_rotated_token_that_comes_back_is_seen_and_ends_the_login,
        control::a_denial_is_said_to_the_program,
        control::what_is_revoked_is_no_longer_active,
        control::discovery_does_not_always_tell_where_device_logins_begin,
        sign_in::approved_in_the_browser_and_the_next_get_is_warm,
        sign_in::denied_in_the_browser,
        sign_in::a_code_expires_and_the_next_one_is_approved,
        sign_in::with_a_client_secret,
        renewal::each_refresh_token_is_sent_once,
        renewal::of_32_callers_on_an_expired_token_one_asks_the_provider,
        renewal::two_homes_that_share_the_storage_meet_at_the_lock,
        sign_out::the_provider_calls_the_token_inactive_afterwards,
        account::an_approval_in_the_wrong_account_stores_nothing_and_is_revoked,
        account::an_approval_in_the_right_account_is_stored,
        codex::a_gateway_that_accepts_what_the_provider_calls_active,
    ];
    // Django has opaque ones alone.
    let one = trials![
        [Kind::OidcProvider];
        sign_in::access_tokens_that_are_jwts,
    ];
    libtest_mimic::run(&arguments, both.chain(one).collect()).exit_code()
}
