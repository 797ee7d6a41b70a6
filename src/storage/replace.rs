//! Write, sync, rename: a reader sees the old file or the new one, never a part.

use crate::clock;
use crate::error::{Error, Result};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::Builder;

/// Begins the name of every temporary file, so that a later run knows one that a killed process left.
const PREFIX: &str = ".codex-credential-";

/// Puts `bytes` in the place of `path`, 0600 from creation and on disk when this returns.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, None).map_err(|error| Error::io("write", path, &error))
}

/// As [`replace`], with `permissions` in the end: for a file that is no login.
pub fn replace_as(path: &Path, bytes: &[u8], permissions: Permissions) -> Result<()> {
    write(path, bytes, Some(permissions)).map_err(|error| Error::io("write", path, &error))
}

fn write(path: &Path, bytes: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

/// Whether [`replace`] could put a file of a login's size in the place of `path` now.
pub fn probe(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    file.write_all(&[0; 16 * 1024])
}

/// A name in `folder` for a file that is soon removed; where its maker is killed, [`sweep`] removes it.
pub fn scratch(folder: &Path) -> PathBuf {
    folder.join(format!("{PREFIX}scratch-{}", std::process::id()))
}

/// Makes a rename or a removal in `folder` last.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes what a killed process left unfinished `age` ago; with no age at all only for a caller who holds the lock
/// under which `folder` is written.
pub fn sweep(folder: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if is_ours && modified.is_ok_and(|modified| clock::since(modified) >= age) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Where a path leads when symbolic links are followed, also when nothing is there yet.
pub fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many links as Linux itself follows.
    for _ in 0..40 {
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new(".")).join(link);
    }
    path
}
