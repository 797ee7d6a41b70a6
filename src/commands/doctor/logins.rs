//! Checks what renewals and sign-ins left in the login directory.

use crate::clock;
use crate::commands::doctor::report::Report;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::lock::Lock;
use crate::storage::login_dir::{LoginDir, SignInDir};
use crate::storage::records::{Failure, InvalidToken, Record};
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
    }
    check_lock(report, &sign_in_dir.lock(), &sign_in_dir.journal(), "sign-in");
    check_pending(report, &sign_in_dir)?;
    check_failure(report, &sign_in_dir.failure(), "sign-in")?;
    // The check `login` reports a login that cannot be read.
    match (profile.storage.load().ok().flatten(), login_dir) {
        (Some(login), Some(login_dir)) => check_tokens(report, profile, &login_dir, &login),
        _ => Ok(()),
    }
}

fn check_lock(report: &mut Report, lock: &Path, journal: &Path, what: &str) {
    if let Some(holder) = Lock::holder(lock) {
        report.ok("renewals", format!("{holder} runs a {what}"));
    } else if journal.exists() {
        let next = "to finish it, run: codex-credential get";
        report.warn("journal", format!("a {what} was interrupted"), next);
    }
}

fn check_pending(report: &mut Report, sign_in_dir: &SignInDir) -> Result<()> {
    let now = clock::now();
    if let Some(pending) = sign_in_dir.device_authorization().load()?
        && pending.verification.expires_at > now
    {
        let left = time_left(pending.verification.expires_at - now);
        let found = format!("a sign-in waits for approval ({left} left)");
        report.warn("pending", found, "to see its URL and code, run: codex-credential status");
    }
    Ok(())
}

fn check_failure(report: &mut Report, failure: &Record<Failure>, what: &str) -> Result<()> {
    if let Some(failure) = failure.load()? {
        let next_try = match failure.pause_left() {
            0 => String::new(),
            left => format!(" (next try in {})", time_left(left)),
        };
        let found = format!("the last {what} failed{next_try}: {}", failure.error.text());
        let next = failure.error.hint.clone();
        report.warn("back-off", found, next.unwrap_or_else(|| "the next get tries again".into()));
    }
    Ok(())
}

fn check_tokens(
    report: &mut Report,
    profile: &Profile,
    login_dir: &LoginDir,
    login: &Login,
) -> Result<()> {
    if let Some(invalid) = InvalidToken::of(profile, login)? {
        report.fail("renewals", &invalid.error());
    } else if login.refresh_token.is_none() {
        let found = "the login cannot be renewed: it has no refresh token";
        report.warn("renewals", found, "when it expires, run: codex-credential login");
    }
    if login_dir.has_rejected(&login.access_token)? {
        let found = "a caller reported that the access token was rejected";
        report.warn("rejected", found, "the next get renews it");
    }
    Ok(())
}
