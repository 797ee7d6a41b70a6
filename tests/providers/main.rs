//! Tests with identity providers of other projects and a real browser.
//!
//! `.ci/providers` installs the providers and runs these tests. Without the providers, the tests are skipped.

#![expect(clippy::disallowed_methods, reason = "environment variables name the programs")]

mod account;
mod authorization;
#[path = "../browser/mod.rs"]
mod browser;
mod codex;
mod control;
mod home;
#[allow(dead_code, reason = "not every test suite uses all of it")]
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
    // The tests mostly wait for polls, expiries and pages.
    arguments.test_threads.get_or_insert(4);
    if std::env::var_os("REAL_DJANGO").is_none() && !arguments.list {
        println!("skipped: no identity providers are installed; run .ci/providers");
        return ExitCode::SUCCESS;
    }
    let both = trials![
        [Kind::OidcProvider, Kind::Django];
        control::reused_refresh_token_is_counted_and_ends_the_login,
        control::revoked_token_is_inactive,
        control::discovery_names_the_device_authorization_endpoint_only_at_oidc_provider,
        sign_out::logout_revokes_the_token,
        account::approval_with_the_wrong_account_is_revoked_and_not_stored,
        account::approval_with_the_right_account_is_stored,
        codex::gateway_accepts_the_token_until_logout,
        authorization::approval_in_the_browser_stores_a_login_that_is_renewed,
        authorization::denial_in_the_browser_is_told,
        authorization::wrong_account_in_the_browser_is_revoked,
    ];
    let all = trials![
        [Kind::OidcProvider, Kind::Django, Kind::Authlib, Kind::Glewlwyd];
        control::denial_is_reported_to_the_polling_client,
        sign_in::approval_stores_a_login_and_the_next_get_sends_no_request,
        sign_in::denial_ends_the_sign_in,
        sign_in::expired_code_is_replaced_by_a_new_one,
        sign_in::confidential_client_signs_in_renews_and_logs_out,
        renewal::each_refresh_token_is_sent_once,
        renewal::concurrent_callers_with_an_expired_token_refresh_once,
        renewal::two_homes_with_one_storage_refresh_once,
    ];
    let others = trials![
        [Kind::Authlib, Kind::Glewlwyd];
        renewal::ended_refresh_token_needs_a_sign_in,
    ];
    let authlib = trials![
        [Kind::Authlib];
        control::revoked_token_is_inactive,
        sign_out::logout_revokes_the_token,
    ];
    let glewlwyd = trials![
        [Kind::Glewlwyd];
        sign_out::logout_of_a_client_that_cannot_revoke_removes_the_login_and_says_so,
    ];
    // Django issues only opaque access tokens.
    let one = trials![
        [Kind::OidcProvider];
        sign_in::jwt_access_token_is_renewed,
    ];
    let own = Trial::test("issuer::authorization::browser_at_the_ports_of_codex", || {
        authorization::browser_at_the_ports_of_codex();
        Ok(())
    });
    let trials =
        both.chain(one).chain(all).chain(others).chain(authlib).chain(glewlwyd).chain([own]);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
