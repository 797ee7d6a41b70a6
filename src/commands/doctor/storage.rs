//! Who is signed in, and whether the storage reads and writes.

use crate::clock;
use crate::commands::doctor::Report;
use crate::commands::profile_test;
use crate::policy;
use crate::profile::Profile;
use crate::storage::audit_log::{AuditLevel, Log};
use crate::storage::codex_home::CodexHome;
use crate::storage::files::probe;
use crate::ui::time_left;
use std::io::ErrorKind;
use std::path::Path;

pub fn check(report: &mut Report, profile: &Profile) {
    match profile.storage.load() {
        Err(error) => report.fail("login", &error),
        Ok(None) => report.warn("login", "nobody is signed in", "run: codex-credential login"),
        Ok(Some(login)) => {
            let who = login.username();
            let left = login.lifetime().expires_at.map(|end| end - clock::now());
            let until = match left {
                None => "a token that does not say when it ends".into(),
                Some(left) if left > 0 => format!("a token for {} more", time_left(left)),
                Some(left) => format!("a token that ended {} ago", time_left(-left)),
            };
            let allowed = policy::check(profile, &login);
            report.result("login", allowed.map(|()| format!("{who}, with {until}")));
        }
    }
    match profile.storage.as_codex().map(CodexHome::dir).filter(|dir| is_missing(dir)) {
        Some(dir) => missing(report, dir),
        None => report.result("storage", profile_test::storage(profile)),
    }
    for (name, found) in profile.storage.shared().iter().flat_map(|shared| shared.checks()) {
        report.result(name, found);
    }
    if profile.audit > AuditLevel::Nothing {
        report.result("audit", Log::of_user().and_then(|log| log.probe()));
    }
}

fn is_missing(dir: &Path) -> bool {
    dir.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// A trial would make the folder, however mistyped: the one above it is tried.
fn missing(report: &mut Report, dir: &Path) {
    let first = dir.ancestors().take_while(|above| !above.is_dir()).last().unwrap_or(dir);
    match probe(first) {
        Ok(()) => report.warn(
            "storage",
            format!("there is no folder {}", dir.display()),
            "a login makes it; is CODEX_HOME as you mean it?",
        ),
        Err(error) => report.fail("storage", &error),
    }
}
