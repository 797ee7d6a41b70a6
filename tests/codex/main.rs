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

mod accounts;
mod app_server;
mod bundle;
mod early;
mod exec;
mod facts;
mod locks;
mod mcp;
mod profile;
mod race;
mod session;
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
    if !arguments.list {
        println!("{}", codex::version());
    }
    let trials = trials![
        facts::login_uses_the_device_endpoints_and_writes_a_private_auth_json,
        facts::status_says_who_is_signed_in_on_standard_error,
        facts::codex_refreshes_at_280_seconds_and_not_at_320,
        facts::refresh_request_is_json_with_the_client_id,
        facts::logout_revokes_the_refresh_token_and_removes_the_login,
        facts::codex_waits_for_auth_lock_and_not_for_auth_json_lock,
        facts::linked_auth_json_stays_a_link_when_codex_renews,
        facts::token_command_gets_no_input_and_is_killed_at_its_timeout,
        facts::failing_token_command_is_started_several_times,
        facts::after_a_401_the_token_command_runs_again_with_the_same_arguments,
        facts::mcp_headers_helper_gets_no_input_and_few_variables,
        facts::variables_override_the_login,
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
        exec::codex_under_exec_is_signed_in_and_sends_the_token,
        early::callers_and_codex_together_cost_one_refresh,
        early::codex_alone_refreshes_without_coordination,
        bundle::codex_works_with_an_access_only_bundle_until_it_expires,
        token_command::codex_runs_a_program_in_an_oddly_named_folder,
        token_command::codex_without_login_shows_url_and_code_and_works_after_approval,
        app_server::open_server_answers_after_a_renewal_a_rejection_and_a_new_sign_in,
        app_server::open_server_does_not_take_the_login_of_another_account,
        mcp::mcp_server_gets_a_new_token_after_a_401,
        mcp::telemetry_collector_gets_the_token,
        token_command::provider_sends_the_account_header,
        profile::sixteen_codex_with_the_profile_and_an_expired_login_cost_one_refresh,
        profile::with_the_profile_codex_makes_no_side_requests,
        accounts::codex_uses_the_account_that_we_switched_to,
        accounts::codex_uses_the_account_that_we_switched_to_in_the_keyring,
        accounts::open_app_server_is_named_and_goes_on_with_the_earlier_account,
        session::codex_prefers_a_personal_access_token_then_an_api_key,
        session::codex_reads_no_byte_order_mark_and_no_utf_16,
        session::check_asks_what_codex_asks_at_its_start,
        session::usage_asks_what_codex_asks_for_its_limits,
        session::proxy_of_the_env_file_overrides_that_of_the_environment,
        session::token_without_an_expiry_is_renewed_eight_days_after_the_last_refresh,
        race::refresh_by_codex_first_loses_no_login,
        race::refresh_by_us_first_is_adopted_by_codex,
        locks::during_a_renewal_codex_reads_at_once_and_its_logout_waits,
        locks::renewal_blocked_by_auth_lock_names_the_holder,
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
