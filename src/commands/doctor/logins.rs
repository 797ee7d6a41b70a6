//! Checks what renewals and sign-ins left in the login directory.

use crate::clock;
use crate::commands::doctor::Report;
use crate::error::Result;
use crate::login::Login;
use crate::oauth::device::DeviceAuthorization;
use crate::profile::Profile;
use crate::renewal::failure::{Failure, InvalidToken};
use crate::storage::lock::Lock;
use crate::storage::login_dir::LoginDir;
use crate::ui::time_left;

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
    let login_dir = profile.storage.login_dir()?;
    check_lock(report, &login_dir);
    check_pending(report, &login_dir)?;
    check_failure(report, &login_dir)?;
    // The check `login` reports a login that cannot be read.
    match profile.storage.load().ok().flatten() {
        Some(login) => check_tokens(report, profile, &login_dir, &login),
        None => Ok(()),
    }
}

fn check_lock(report: &mut Report, login_dir: &LoginDir) {
    if let Some(holder) = Lock::holder(&login_dir.lock()) {
        report.ok("renewals", format!("{holder} is renewing the login"));
    } else if login_dir.journal().exists() {
        let next = "to finish it, run: codex-credential get";
        report.warn("journal", "a renewal was interrupted", next);
    }
}

fn check_pending(report: &mut Report, login_dir: &LoginDir) -> Result<()> {
    let now = clock::now();
    if let Some(pending) = login_dir.pending::<DeviceAuthorization>().load()?
        && pending.verification.expires_at > now
    {
        let left = time_left(pending.verification.expires_at - now);
        let found = format!("a sign-in waits for approval ({left} left)");
        report.warn("pending", found, "to see its URL and code, run: codex-credential status");
    }
    Ok(())
}

fn check_failure(report: &mut Report, login_dir: &LoginDir) -> Result<()> {
    if let Some(failure) = login_dir.failure::<Failure>().load()? {
        let found = match failure.pause_left() {
            0 => format!("the last renewal failed: {}", failure.error.text()),
            left => {
                let (next, error) = (time_left(left), failure.error.text());
                format!("the last renewal failed (next try in {next}): {error}")
            }
        };
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
