//! Checks the owner and the permissions of the files of a login.

use crate::commands::doctor::report::Report;
use crate::profile::Profile;
use crate::quote;
use crate::storage::StorageKind;
use crate::storage::login_dir::LoginDir;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub fn check(report: &mut Report, profile: &Profile) {
    let Ok(login_dir) = profile.storage.login_dir() else { return };
    let sign_in_dir = profile.storage.sign_in_dir();
    let folders = login_dir.iter().map(LoginDir::dir).chain([sign_in_dir.dir()]);
    let mut private: Vec<PathBuf> = Vec::new();
    for folder in folders {
        private.push(folder.to_owned());
        let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
        private.extend(inside.map(|entry| entry.path()));
    }
    private.extend(profile.storage.watched().into_iter().map(|folder| folder.join("auth.json")));
    private.extend(profile.settings.client_secret_file.clone());
    if profile.storage_kind() == StorageKind::Etcd
        && let Some(settings) = &profile.settings.etcd
    {
        private.extend(settings.secret_files().cloned());
    }
    // These decide where a token is sent: others may read them, but not write them.
    let mut guarded = profile.storage.watched();
    guarded.extend(profile.config_file.clone());
    let private = private.iter().map(|path| (path, 0o077));
    let guarded = guarded.iter().map(|path| (path, 0o022));
    let paths: Vec<_> = private.chain(guarded).collect();
    let problems: Vec<_> =
        paths.iter().filter_map(|(path, forbidden)| problem(path, *forbidden)).collect();
    if problems.is_empty() {
        let found = format!("only this user can change {} files and folders", paths.len());
        report.ok("permissions", found);
    }
    for (found, next) in problems {
        report.warn("permissions", found, next);
    }
}

/// Returns what is wrong with a file that must not have any of the mode bits `forbidden`, and how to correct it.
fn problem(path: &Path, forbidden: u32) -> Option<(String, String)> {
    let metadata = path.metadata().ok()?;
    let (shown, word) = (path.display(), quote::shell_path(path));
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        let found = format!("{shown} belongs to the user {}", metadata.uid());
        return Some((found, format!("as root, run: chown {user} {word}")));
    }
    let open = metadata.mode() & forbidden;
    if open == 0 {
        return None;
    }
    let how = if open & 0o022 == 0 { "read" } else { "changed" };
    let mode = metadata.mode() & 0o777 & !forbidden;
    Some((format!("{shown} can be {how} by others"), format!("run: chmod {mode:o} {word}")))
}

/// Names each lock file that others can open, because whoever opens it can hold the lock and stop all renewals.
pub fn check_locks(report: &mut Report, profile: &Profile) {
    let mut locks = vec![profile.storage.sign_in_dir().lock()];
    locks.extend(profile.storage.login_dir().ok().flatten().map(|dir| dir.lock()));
    for folder in profile.storage.watched() {
        locks.extend(["auth.lock", "auth.json.lock", "write"].map(|name| folder.join(name)));
    }
    locks.dedup();
    for lock in locks {
        if let Some(who) = who_can_open(&lock) {
            let found =
                format!("{} can be opened by {who}, who could stop all renewals", lock.display());
            report.warn(
                "permissions",
                found,
                format!("run: chmod 600 {}", quote::shell_path(&lock)),
            );
        }
    }
}

/// Returns who can open the file, beside its owner and root.
fn who_can_open(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 && user != 0 {
        return Some(format!("the user {}", metadata.uid()));
    }
    let has_path = |class: u32| {
        let folders = path.ancestors().skip(1).filter_map(|folder| folder.metadata().ok());
        folders.into_iter().all(|folder| folder.mode() & class != 0)
    };
    if metadata.mode() & 0o006 != 0 && has_path(0o001) {
        Some("every user of this machine".into())
    } else if metadata.mode() & 0o060 != 0 && has_path(0o011) {
        Some(format!("the group {}", metadata.gid()))
    } else {
        None
    }
}
