//! What renewals and sign-ins have left: what waits, what has ended, what is to be mended.

use crate::clock;
use crate::commands::doctor::Report;
use crate::error::Result;
use crate::oauth::device::DeviceAuthorization;
use crate::profile::Profile;
use crate::renewal::failure::{Failure, InvalidToken};
use crate::storage::lock::Lock;
use crate::ui::time_left;

pub fn check(report: &mut Report, profile: &Profile) {
    let before = report.0.len();
    if let Err(error) = look(report, profile) {
        report.fail("renewals", &error);
    }
    if report.0.len() == before {
        report.ok("renewals", "none failed, none waits");
    }
}

fn look(report: &mut Report, profile: &Profile) -> Result<()> {
    let login_dir = profile.storage.login_dir()?;
    let now = clock::now();
    let at_work = Lock::holder(&login_dir.lock());
    if let Some(holder) = &at_work {
        report.ok("renewals", format!("{holder} is at work"));
    }
    if let Some(pending) = login_dir.pending::<DeviceAuthorization>().load()?
        && pending.verification.expires_at > now
    {
        let left = time_left(pending.verification.expires_at - now);
        let found = format!("a device login waits for a person ({left} left)");
        report.warn("pending", found, "codex-credential status shows where to enter the code");
    }
    if let Some(failure) = login_dir.failure::<Failure>().load()? {
        let found = match failure.pause_left() {
            0 => format!("the last renewal failed: {}", failure.error),
            left => format!("no request for {}: {}", time_left(left), failure.error),
        };
        let next = failure.error.hint.clone();
        report.warn("back-off", found, next.unwrap_or_else(|| "the next get tries again".into()));
    }
    if at_work.is_none() && login_dir.journal().exists() {
        let found = "a renewal was cut off";
        report.warn("journal", found, "the next renewal takes it up: codex-credential get");
    }
    if let Some(login) = profile.storage.load().ok().flatten() {
        if let Some(dead) = InvalidToken::of(profile, &login)? {
            report.fail("renewals", &dead.error());
        } else if login.refresh_token.is_none() {
            let found = "the login cannot be renewed: it has no refresh token";
            report.warn("renewals", found, "when it ends, run: codex-credential login");
        }
        if login_dir.has_rejected(&login.access_token)? {
            report.warn("refused", "a caller found the token refused", "the next get renews it");
        }
    }
    Ok(())
}
