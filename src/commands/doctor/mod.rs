//! `doctor`: checks everything that a login depends on, one line for each check. The output can be pasted into an issue:
//! it contains no part of a token, and only the first letter of each e-mail address.

mod configuration;
mod issuer;
pub mod locks;
mod logins;
#[cfg(unix)]
mod permissions;
pub mod profile_test;
pub mod report;
mod storage;

use crate::clock::Deadline;
use crate::commands::doctor::report::Report;
use crate::error::Result;
use crate::profile::Profile;
use std::ffi::OsString;

/// Runs all checks until `deadline`; only those of the configuration when the profile cannot be loaded.
pub fn run(
    profile: Result<Profile>,
    variable: &dyn Fn(&str) -> Option<OsString>,
    deadline: &Deadline,
) -> Report {
    let mut report = Report::default();
    configuration::check(&mut report, &profile, variable);
    let Ok(profile) = profile else { return report };
    // Before the storage is tried, which makes lock files private.
    #[cfg(unix)]
    permissions::check_locks(&mut report, &profile);
    storage::check(&mut report, &profile, variable, deadline);
    #[cfg(unix)]
    permissions::check(&mut report, &profile);
    locks::check(&mut report, &profile, deadline);
    issuer::check(&mut report, &profile, deadline);
    logins::check(&mut report, &profile);
    report
}
