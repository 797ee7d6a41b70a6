//! Write, sync, rename: a reader sees the old file or the new one, never a part.

use crate::error::{Error, IoResultExt, Result};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// Begins the name of every temporary file, so that a later run knows one that a killed process left.
const PREFIX: &str = ".codex-credential-";

/// More sweeps than one file meets.
const TRIES: u32 = 5;

/// Puts `bytes` in the place of `path`, 0600 from creation and on disk when this returns.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, &[bytes], None).map(drop).context("write", path)
}

/// As [`replace`], with `permissions` in the end: for a file that is no login.
pub fn replace_as(path: &Path, bytes: &[u8], permissions: &Permissions) -> Result<()> {
    let written = write(path, &[bytes], Some(permissions));
    written.map(drop).context("write", path)
}

/// As [`replace`]; the file stays open, to be written to.
pub fn replace_open(path: &Path, parts: &[&[u8]]) -> io::Result<File> {
    write(path, parts, None)
}

/// A [`sweep`] takes unfinished files, whoever is at them: then it is written once more.
fn write(path: &Path, parts: &[&[u8]], permissions: Option<&Permissions>) -> io::Result<File> {
    let mut tries = 0;
    loop {
        tries += 1;
        match write_once(path, parts, permissions) {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {}
            written => return written,
        }
    }
}

fn write_once(path: &Path, parts: &[&[u8]], permissions: Option<&Permissions>) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = temporary(folder)?;
    for part in parts {
        file.as_file_mut().write_all(part)?;
    }
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions.clone())?;
    }
    file.as_file().sync_all()?;
    let file = file.persist(path)?;
    sync_folder(folder)?;
    Ok(file)
}

/// Creates a private file in `folder`. Its errors do not name it: the user knows only the file it is to replace.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Builder::new().prefix(PREFIX).make_in(folder, |path| options.open(path))
}

/// Whether [`replace`] could put a file of a login's size in the place of `path` now.
pub fn probe(path: &Path) -> Result<()> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = temporary(folder)?;
        file.as_file_mut().write_all(&[0; 16 * 1024])?;
        file.as_file().sync_all()
    };
    write().context("write", path)?;
    #[cfg(target_os = "linux")]
    is_replaceable(path)?;
    Ok(())
}

/// Nothing can be renamed over a mount, nor over a file that must not change.
#[cfg(target_os = "linux")]
fn is_replaceable(path: &Path) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let Ok(stat) = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS) else {
        return Ok(());
    };
    let (what, hint) = if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        ("it is mounted by itself", "mount the folder that it is in")
    } else if stat.stx_attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        ("it is marked as not to be changed", "see lsattr(1); chattr -i -a allows it")
    } else {
        return Ok(());
    };
    let what = format!("cannot replace {}: {what}", path.display());
    Err(Error::new(crate::error::Kind::Storage, what).hint(hint))
}

/// A name in `folder` for a file that is soon removed; where its maker is killed, [`sweep`] removes it.
pub fn scratch(folder: &Path) -> PathBuf {
    folder.join(format!("{PREFIX}scratch-{}", std::process::id()))
}

/// Makes a rename or a removal in `folder` last.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes what killed processes left unfinished in `folder`.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
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
