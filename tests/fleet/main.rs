//! One login shared by many hosts, on three real etcd nodes. `.ci/fleet` installs etcd and runs these tests; without etcd or
//! without the feature `etcd` they are skipped.

#![cfg_attr(not(feature = "etcd"), allow(unused))]
#![cfg_attr(
    feature = "etcd",
    expect(clippy::disallowed_methods, reason = "load.rs reads FLEET_HOSTS")
)]

#[cfg(feature = "etcd")]
mod away;
#[cfg(feature = "etcd")]
mod cluster;
#[cfg(feature = "etcd")]
mod connections;
#[cfg(feature = "etcd")]
mod doubt;
#[cfg(feature = "etcd")]
mod down;
#[cfg(feature = "etcd")]
mod failures;
#[cfg(feature = "etcd")]
mod guide;
#[cfg(feature = "etcd")]
mod hosts;
#[cfg(feature = "etcd")]
mod keys;
#[cfg(feature = "etcd")]
mod late_answer;
#[cfg(feature = "etcd")]
mod load;
#[path = "../it/machine.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod machine;
#[cfg(feature = "etcd")]
mod proxy;
#[cfg(feature = "etcd")]
mod renew;
#[cfg(feature = "etcd")]
mod reports;
#[cfg(feature = "etcd")]
mod roles;
#[cfg(feature = "etcd")]
mod sharing;
#[cfg(feature = "etcd")]
mod sign_in;

use libtest_mimic::{Arguments, Trial};
use std::process::{Command, ExitCode};

#[cfg(feature = "etcd")]
macro_rules! trials {
    ($cluster:ident: $($module:ident::$test:ident),* $(,)?) => {
        vec![$({
            let cluster = std::sync::Arc::clone(&$cluster);
            Trial::test(concat!(stringify!($module), "::", stringify!($test)), move || {
                $module::$test(&cluster);
                Ok(())
            })
        }),*]
    };
}

#[cfg(not(feature = "etcd"))]
fn main() -> ExitCode {
    if !Arguments::from_args().list {
        println!("skipped: built without the feature etcd; to run these tests, run: .ci/fleet");
    }
    ExitCode::SUCCESS
}

#[cfg(feature = "etcd")]
fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let is_installed = Command::new("etcd").arg("--version").output().is_ok();
    if !is_installed || arguments.list {
        println!("skipped: etcd is not installed; to run these tests, run: .ci/fleet");
        return ExitCode::SUCCESS;
    }
    let cluster = std::sync::Arc::new(cluster::Cluster::start());
    let trials: Vec<Trial> = trials![cluster:
        sharing::login_on_one_host_is_used_by_another,
        sharing::four_callers_on_each_of_32_hosts_renew_once,
        sharing::logout_on_another_host_removes_the_local_copy,
        sharing::warm_get_sends_no_request_to_etcd,
        sharing::fleet_status_shows_the_generation_and_the_last_host,
        sharing::export_contains_no_refresh_token,
        sharing::import_shares_the_login_of_auth_json_and_warns_of_the_copy,
        roles::etcds_files_and_traffic_contain_no_token,
        roles::reader_gets_tokens_and_never_renews,
        roles::answering_program_links_no_etcd_client,
        sign_in::another_host_continues_a_pending_codex_sign_in,
        sign_in::another_host_continues_a_pending_standard_sign_in,
        sign_in::login_on_a_new_host_starts_a_new_sign_in,
        sign_in::sign_in_replaces_a_login_with_a_time_in_the_future,
        keys::identity_that_is_no_regular_file_is_an_error_at_once,
        keys::keys_can_be_replaced_while_the_fleet_runs,
        keys::login_replaces_a_login_whose_keys_are_lost,
        keys::login_replaces_damaged_records,
        keys::login_that_its_own_host_could_not_open_is_refused,
        guide::documented_setup_works,
        renew::renew_replaces_a_valid_token_that_is_due,
        renew::reader_waits_while_a_writer_renews,
        renew::reader_waits_no_longer_than_its_wait,
        reports::doctor_checks_endpoints_identity_and_role,
        reports::hidden_characters_of_another_host_are_visible_or_refused,
        reports::renewal_is_traced_and_in_the_audit_log_of_its_host_only,
        connections::host_without_client_certificate_gets_no_token,
        connections::wrong_etcd_password_is_a_configuration_error,
        connections::host_without_network_keeps_its_token_and_another_host_renews,
        load::due_token_costs_one_request_for_each_host,
        failures::killed_before_the_answer_another_host_renews,
        failures::suspended_with_the_answer_returns_in_time_one_request,
        failures::suspended_without_an_answer_writes_nothing,
        failures::cut_off_from_etcd_returns_in_time_one_request,
        failures::etcd_nodes_stop_one_by_one_hosts_keep_their_token,
        away::resend_with_the_answer_away_is_refused_once_and_leaves_the_valid_token,
        away::resend_after_a_host_is_gone_renews_early,
        away::wait_leaves_the_renewal_to_the_host_that_is_away,
        down::callers_wait_for_etcd_as_long_as_they_said,
        doubt::copy_of_the_state_folder_waits_for_the_host_with_the_answer,
        doubt::request_in_an_unknown_form_is_another_hosts,
        late_answer::suspended_before_the_request_sends_nothing,
        late_answer::suspended_with_the_answer_stores_it_on_return,
        late_answer::cut_off_with_the_answer_stores_it_on_return,
        late_answer::killed_with_the_answer_next_get_stores_it,
    ];
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    drop(cluster);
    code
}
