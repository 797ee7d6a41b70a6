//! Checks what renewals and sign-ins left in the login directory.

use crate::clock;
use crate::command_options::hint;
use crate::commands::doctor::report::Report;
use crate::commands::status::Status;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::storage::journal;
use crate::storage::lock::Lock;
use crate::storage::records::{Failure, Record};
use crate::ui::time_left;
use std::path::Path;

pub fn check(report: &mut Report, profile: &Profile) {
    let before = report.0.len();
    if let Err(error) = check_all(report, profile) {
        report.fail("renewals", &error);
    }
    if report.0.len() == before {
        report.ok("renewals", "no failure, and nothing pending");
    }
}

fn check_all(report: &mut Report, profile: &Profile) -> Result<()> {
    let (login_dir, sign_in_dir) = (profile.storage.login_dir()?, profile.storage.sign_in_dir());
    if let Some(login_dir) = &login_dir {
        check_lock(report, &login_dir.lock(), &login_dir.journal(), "renewal");
        check_failure(report, &login_dir.failure(), "renewal")?;
        if journal::has_kept(&login_dir.journal()) {
            let found = "another login was stored while the earlier one was renewed; the renewed one is kept";
            report.warn(
                "kept answer",
                found,
                "it is used as soon as the earlier login is put back",
            );
        }
    }
    check_lock(report, &sign_in_dir.lock(), &sign_in_dir.journal(), "sign-in");
    check_failure(report, &sign_in_dir.failure(), "sign-in")?;
    // The check `login` reports a login that cannot be read.
    if let Ok(status) = Status::of(profile) {
        check_status(report, &status);
    }
    Ok(())
}

fn check_lock(report: &mut Report, lock: &Path, journal: &Path, what: &str) {
    if let Some(holder) = Lock::holder(lock) {
        report.ok("renewals", format!("{holder} runs a {what}"));
    } else if journal.exists() && Lock::try_acquire(lock).is_ok_and(|lock| lock.is_none()) {
        report.ok("renewals", format!("another process runs a {what}"));
    } else if journal.exists() {
        let next = hint("to finish it", "codex-credential get");
        report.warn("journal", format!("a {what} was interrupted"), next);
    }
}

fn check_failure(report: &mut Report, failure: &Record<Failure>, what: &str) -> Result<()> {
    if let Some(failure) = failure.load()? {
        let next_try = match failure.pause_left() {
            0 => String::new(),
            left => format!(" (next try in {})", time_left(left)),
        };
        let found = format!("the last {what} failed{next_try}: {}", failure.error.text());
        let next = failure.error.completed().hint;
        report.warn("back-off", found, next.unwrap_or_else(|| "the next get tries again".into()));
    }
    Ok(())
}

fn check_status(report: &mut Report, status: &Status) {
    if let Some(pending) = &status.pending {
        let left = time_left(pending.expires_at - clock::now());
        let found = format!("a sign-in waits for approval ({left} left)");
        let next = hint("to see its URL and code", "codex-credential status");
        report.warn("pending", found, next);
    }
    if let (Some(login), Some(reason)) = (&status.login, &status.cannot_renew) {
        let found = format!("the login cannot be renewed: {reason}");
        if login.refresh_token.is_some() {
            report.fail("renewals", &Error::new(Kind::LoginDead, found).sign_in_again());
        } else {
            report.warn("renewals", found, hint("when it expires", "codex-credential login"));
        }
    }
    if status.is_rejected {
        let found = "a caller reported that the access token was rejected";
        report.warn("rejected", found, "the next get renews it");
    }
}
