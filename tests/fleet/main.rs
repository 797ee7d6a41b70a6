//! One login shared by many hosts, on a real etcd of three nodes.
//!
//! `.ci/fleet` installs one and runs this. Without it, or without the feature, it says so in one line.

#![cfg_attr(not(feature = "etcd"), allow(unused))]
#![cfg_attr(
    feature = "etcd",
    expect(clippy::disallowed_methods, reason = "how many hosts load.rs is to have comes in here")
)]

#[cfg(feature = "etcd")]
mod away;
#[cfg(feature = "etcd")]
mod cluster;
#[cfg(feature = "etcd")]
mod hosts;
#[cfg(feature = "etcd")]
mod keys;
#[cfg(feature = "etcd")]
mod load;
#[path = "../it/machine.rs"]
#[allow(dead_code, reason = "each of the suites uses a part of it")]
mod machine;
#[cfg(feature = "etcd")]
mod proxy;
#[cfg(feature = "etcd")]
mod roles;
#[cfg(feature = "etcd")]
mod secure;
#[cfg(feature = "etcd")]
mod sharing;
#[cfg(feature = "etcd")]
mod trouble;
#[cfg(feature = "etcd")]
mod words;

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
        println!(
            "skipped: built without etcd; .ci/fleet installs what it takes and runs these tests"
        );
    }
    ExitCode::SUCCESS
}

#[cfg(feature = "etcd")]
fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let is_there = Command::new("etcd").arg("--version").output().is_ok();
    if !is_there || arguments.list {
        println!("skipped: no etcd; .ci/fleet installs it and runs these tests");
        return ExitCode::SUCCESS;
    }
    let cluster = std::sync::Arc::new(cluster::Cluster::start());
    let trials: Vec<Trial> = trials![cluster:
        sharing::a_login_on_one_host_is_there_on_the_others,
        sharing::thirty_two_hosts_with_four_callers_each_renew_once,
        roles::no_token_is_in_etcds_data_or_on_its_wire,
        roles::a_reader_serves_and_never_renews,
        roles::logout_on_another_host_removes_the_local_copy,
        roles::a_warm_get_asks_no_etcd,
        roles::the_answering_program_links_no_etcd,
        roles::a_bundle_has_no_refresh_token,
        roles::an_auth_json_is_taken_once_and_its_copy_is_spoken_of,
        roles::status_tells_of_all,
        roles::a_sign_in_is_pending_on_all_hosts_and_taken_up_by_another,
        roles::so_is_one_by_the_standard,
        roles::a_login_on_a_new_host_is_a_login,
        keys::the_keys_are_replaced_while_all_hosts_go_on,
        words::doctor_tries_each_endpoint_the_identity_and_the_role,
        words::traces_and_the_audit_log_tell_of_a_renewal,
        secure::a_client_certificate_is_asked_for,
        secure::a_user_and_a_password_are_asked_for,
        secure::a_network_of_its_own_is_cut,
        load::a_due_token_costs_each_host_one_request,
        trouble::killed,
        trouble::frozen_with_the_answer,
        trouble::frozen_without_an_answer,
        trouble::cut_off_from_etcd,
        trouble::nodes_of_etcd,
        away::frozen_before_the_request,
        away::frozen_with_the_answer,
        away::cut_off_with_the_answer,
        away::killed_with_the_answer,
    ];
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    drop(cluster);
    code
}
