//! Checks the timer that `configure keepalive` installs.

use crate::commands::doctor::Report;
use crate::configure::keepalive::Keepalive;
use crate::profile::Profile;
use std::ffi::OsString;

pub fn check(report: &mut Report, profile: &Profile, variable: &dyn Fn(&str) -> Option<OsString>) {
    let next = "run: codex-credential configure keepalive";
    match Keepalive::found(profile, variable) {
        Err(error) => report.warn("keepalive", error.text(), next),
        Ok(None) => {
            report.ok("keepalive", "no timer; none is needed if a token is used every day");
        }
        Ok(Some((file, true))) => report.ok("keepalive", format!("a timer in {}", file.display())),
        Ok(Some((file, false))) => {
            let found =
                format!("{} starts another program or renews another login", file.display());
            report.warn("keepalive", found, next);
        }
    }
}
