//! Whose the files are, and who else may read or change them.

use crate::commands::doctor::Report;
use crate::profile::Profile;

#[cfg(unix)]
pub fn check(report: &mut Report, profile: &Profile) {
    use std::path::{Path, PathBuf};
    let Ok(login_dir) = profile.storage.login_dir() else { return };
    let mut private: Vec<PathBuf> = vec![login_dir.dir().to_owned()];
    let inside = std::fs::read_dir(login_dir.dir()).into_iter().flatten().flatten();
    private.extend(inside.map(|entry| entry.path()));
    private.extend(profile.storage.watched().into_iter().map(|folder| folder.join("auth.json")));
    private.extend(profile.as_standard().and_then(|standard| standard.client_secret_file.clone()));
    // What decides where a token goes may be read by all and changed by its owner.
    let mut guarded = profile.storage.watched();
    guarded.extend(profile.config_file.clone());
    let found =
        private.iter().map(|path| (path, 0o077)).chain(guarded.iter().map(|path| (path, 0o022)));
    let mistakes: Vec<(String, String)> =
        found.filter_map(|(path, closed)| mistake(Path::new(path), closed)).collect();
    if mistakes.is_empty() {
        report.ok(
            "permissions",
            format!("{} files and folders are this person's alone", private.len()),
        );
    }
    for (what, next) in mistakes {
        report.warn("permissions", what, next);
    }
}

/// What is wrong with a file that has none of the bits `closed`, and what mends it.
#[cfg(unix)]
fn mistake(path: &std::path::Path, closed: u32) -> Option<(String, String)> {
    use std::os::unix::fs::MetadataExt;
    let found = path.metadata().ok()?;
    let shown = path.display();
    if found.uid() != rustix::process::geteuid().as_raw() {
        let what = format!("{shown} belongs to the user {}", found.uid());
        return Some((
            what,
            format!(
                "as that user or as root, run: chown {} '{shown}'",
                rustix::process::geteuid().as_raw()
            ),
        ));
    }
    let open = found.mode() & closed;
    if open == 0 {
        return None;
    }
    let who = if open & 0o022 == 0 { "read by others" } else { "changed by others" };
    let mode = found.mode() & 0o777 & !closed;
    Some((format!("{shown} can be {who}"), format!("run: chmod {mode:o} '{shown}'")))
}

#[cfg(not(unix))]
pub fn check(report: &mut Report, _profile: &Profile) {
    report.ok("permissions", "not looked at on this system");
}
