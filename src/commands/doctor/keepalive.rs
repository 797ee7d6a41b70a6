//! The timer that renews where nobody asks for days.

use crate::commands::doctor::Report;
use crate::configure::keepalive::Keepalive;
use crate::profile::Profile;
use std::ffi::OsString;

pub fn check(report: &mut Report, profile: &Profile, variable: &dyn Fn(&str) -> Option<OsString>) {
    let next = "run: codex-credential configure keepalive";
    match Keepalive::found(profile, variable) {
        Err(error) => report.warn("keepalive", error.text(), next),
        Ok(None) => {
            report.ok("keepalive", "no timer; none is needed where something asks every day");
        }
        Ok(Some((file, true))) => report.ok("keepalive", format!("a timer in {}", file.display())),
        Ok(Some((file, false))) => {
            let found = format!("{} runs another program or for another login", file.display());
            report.warn("keepalive", found, next);
        }
    }
}
