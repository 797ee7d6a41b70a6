//! Small files: read whole, and replaced by writing a temporary file, syncing and renaming it. A reader sees the old
//! content or the new one, never a part.

#[cfg(target_os = "linux")]
use crate::error::{Error, Kind};
use crate::error::{IoResultExt, Result};
use crate::private::{self, Access};
pub use crate::read_file::{Bytes, MAX_LENGTH};
use crate::read_file::{open, read_open};
#[cfg(unix)]
use std::fs::Metadata;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

const TEMPORARY_PREFIX: &str = ".codex-credential-tmp-";

const MAX_ATTEMPTS: u32 = 5;

/// Reads the file at `path`; `None` when it does not exist.
///
/// # Errors
/// `Storage` when the file cannot be read or is longer than [`MAX_LENGTH`].
pub fn read(path: &Path) -> Result<Option<Bytes>> {
    none_if_missing(read_whole(path)).context("read", path)
}

fn none_if_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        result => result.map(Some),
    }
}

/// As [`read`], for a file of our own. A link counts as no file; the next write replaces it.
pub fn read_own(path: &Path) -> Result<Option<Bytes>> {
    match private::open(path, Access::Read).and_then(read_open) {
        Err(error) if error.kind() != ErrorKind::NotFound && path.is_symlink() => Ok(None),
        result => none_if_missing(result).context("read", path),
    }
}

fn read_whole(path: &Path) -> io::Result<Bytes> {
    read_open(open(path)?)
}

/// Replaces the file at `path`, or creates it. It is 0600 from creation; then it gets the owner and
/// the group of the file before it. It is on disk when this returns.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_and_open(path, bytes, None).map(drop)
}

/// As [`replace`], with `permissions` for a file without secrets. Returns the file, open for writing.
pub fn replace_and_open(
    path: &Path,
    bytes: &[u8],
    permissions: Option<&Permissions>,
) -> Result<File> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match write_once(path, bytes, permissions) {
            // Another process has swept the temporary file before it was renamed.
            Err(error) if error.kind() == ErrorKind::NotFound && attempts < MAX_ATTEMPTS => {}
            written => return written.context("write", path),
        }
    }
}

fn write_once(path: &Path, bytes: &[u8], permissions: Option<&Permissions>) -> io::Result<File> {
    let folder = folder_of(path);
    let mut file = temporary_file(folder)?;
    file.as_file_mut().write_all(bytes)?;
    keep_owner(file.as_file(), path, permissions)?;
    file.as_file().sync_all()?;
    let file = file.persist(path)?;
    sync_folder(folder)?;
    Ok(file)
}

/// Gives the new file the owner and the group of the file that it replaces, its ACL, and the permissions of the group. Where
/// there is none yet, root gives it to the owner of the folder.
#[cfg(unix)]
fn keep_owner(new: &File, path: &Path, permissions: Option<&Permissions>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let Some(old) = path.symlink_metadata().ok().filter(Metadata::is_file) else {
        if let Ok(folder) = folder_of(path).metadata() {
            let _ = private::give_to_owner_of(new, &folder);
        }
        return permissions.map_or(Ok(()), |permissions| new.set_permissions(permissions.clone()));
    };
    private::give_to_owner_of(new, &old)?;
    let has_group =
        new.metadata()?.gid() == old.gid() || fchown(new, None, Some(old.gid())).is_ok();
    // Access for everybody is an accident; access for a group is meant.
    let is_for_everybody = old.mode() & 0o007 != 0;
    // With an ACL, the mode shows what the ACL allows at most, and not what the group may do.
    let is_for_group = keep_acl(new, path) && has_group && !is_for_everybody;
    let mode = if is_for_group { old.mode() & 0o770 | 0o600 } else { 0o600 };
    new.set_permissions(permissions.cloned().unwrap_or(Permissions::from_mode(mode)))
}

/// Copies the POSIX ACL of the file at `path`, if it has one. Returns whether that was possible.
#[cfg(target_os = "linux")]
fn keep_acl(new: &File, path: &Path) -> bool {
    use rustix::fs::{XattrFlags, fsetxattr, lgetxattr};
    use rustix::io::Errno;
    const ACL: &str = "system.posix_acl_access";
    let mut acl = [0; 4096];
    match lgetxattr(path, ACL, &mut acl) {
        Ok(length) => fsetxattr(new, ACL, &acl[..length], XattrFlags::empty()).is_ok(),
        Err(error) => matches!(error, Errno::NODATA | Errno::OPNOTSUPP),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn keep_acl(_new: &File, _path: &Path) -> bool {
    true
}

#[cfg(not(unix))]
fn keep_owner(new: &File, _path: &Path, permissions: Option<&Permissions>) -> io::Result<()> {
    permissions.map_or(Ok(()), |permissions| new.set_permissions(permissions.clone()))
}

/// Creates a private file in `folder`. Its errors do not name it: the user knows only the file it is to replace.
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Builder::new().prefix(TEMPORARY_PREFIX).make_in(folder, |path| options.open(path))
}

/// Proves that [`replace`] can replace the file at `path` with one of a login's length, and changes nothing.
pub fn probe_replace(path: &Path) -> Result<()> {
    let write = || {
        let mut file = temporary_file(folder_of(path))?;
        file.as_file_mut().write_all(&[0; 16 * 1024])?;
        keep_owner(file.as_file(), path, None)?;
        file.as_file().sync_all()
    };
    write().context("write", path)?;
    #[cfg(target_os = "linux")]
    check_replaceable(path)?;
    Ok(())
}

/// Fails for a mount point and for an immutable or append-only file, which no rename can replace.
#[cfg(target_os = "linux")]
fn check_replaceable(path: &Path) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let Ok(stat) = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS) else {
        return Ok(());
    };
    let marks = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    if !stat.stx_attributes.intersects(StatxAttributes::MOUNT_ROOT | marks) {
        return Ok(());
    }
    let reason = "it is a mount point, or marked as immutable or append-only";
    let message = format!("cannot replace {}: {reason}", path.display());
    Err(Error::new(Kind::Storage, message)
        .hint("mount its folder instead, or remove the mark with chattr -i -a"))
}

/// Removes the file at `path`, also on disk when this returns. Returns false when it does not exist.
pub fn remove(path: &Path) -> Result<bool> {
    let Some(()) = none_if_missing(fs::remove_file(path)).context("remove", path)? else {
        return Ok(false);
    };
    let folder = folder_of(path);
    sync_folder(folder).context("sync", folder)?;
    Ok(true)
}

/// Returns a path in `folder` for a temporary file of this process.
pub fn temporary_path(folder: &Path) -> PathBuf {
    folder.join(format!("{TEMPORARY_PREFIX}process-{}", std::process::id()))
}

/// Removes all our temporary files in `folder`. A running process that loses its file writes it again.
pub fn sweep_temporary_files(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns the path that `path` leads to through symbolic links, also when no file exists there.
pub fn follow_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // Linux follows as many.
    for _ in 0..40 {
        let Ok(link) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(link);
    }
    path
}

pub fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Makes a rename or a removal in `folder` survive a power failure.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
