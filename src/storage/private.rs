//! Files and folders of our own. Opening one follows no link and waits for no pipe, because another user may have planted
//! either. Only the owner of the folder can use them, also if root has created them.

use crate::error::{Error, IoResultExt, Kind, Result};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// For a lock: some network file systems lock only files that are open for writing.
    Lock,
    Append,
}

/// Opens a file of our own. [`Access::Lock`] and [`Access::Append`] create it with mode 0600, and make it private again
/// where others can open it: a reader could hold the lock.
///
/// # Errors
/// For a link and for everything that is no regular file; for appending, also for a file with a second name.
pub fn open(path: &Path, access: Access) -> io::Result<File> {
    let mut options = File::options();
    match access {
        Access::Read => options.read(true),
        Access::Lock => options.read(true).write(true).create(true),
        Access::Append => options.append(true).create(true),
    };
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    if access != Access::Read && !path.exists() {
        check_folder(path)?;
    }
    let file = options.open(path).map_err(|error| explained(path, error))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // A hard link may lead to a file elsewhere. Backups make hard links as well, so a lock file may have one.
    let is_linked = has_second_name(&metadata);
    if is_linked && access == Access::Append {
        return Err(io::Error::other("it has a second name (a hard link)"));
    }
    if !is_linked && access != Access::Read {
        make_private(&file, &metadata, path);
    }
    Ok(file)
}

#[cfg(unix)]
fn has_second_name(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_second_name(_metadata: &Metadata) -> bool {
    false
}

/// The system's own words for a link are "too many levels of symbolic links".
fn explained(path: &Path, error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::NotFound {
        return error;
    }
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => io::Error::other("it is a symbolic link"),
        Ok(metadata) if !metadata.is_file() => io::Error::other("it is not a regular file"),
        _ => error,
    }
}

/// Fails if the folder of `path` is another user's, who would be locked out of what this process creates there. Folders of
/// root, and of users that this system does not know, are shared on purpose.
#[cfg(unix)]
fn check_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    const UNKNOWN: u32 = 65_534;
    let Some(Ok(folder)) = path.parent().map(Path::metadata) else { return Ok(()) };
    let own = rustix::process::geteuid();
    if own.is_root() || [0, UNKNOWN, own.as_raw()].contains(&folder.uid()) {
        return Ok(());
    }
    let what = format!("its folder belongs to another user (id {})", folder.uid());
    Err(io::Error::new(ErrorKind::PermissionDenied, what))
}

#[cfg(not(unix))]
fn check_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Ignores errors: this process cannot change the file of another owner.
#[cfg(unix)]
fn make_private(file: &File, metadata: &Metadata, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 != 0 {
        let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    }
    if let Some(Ok(folder)) = path.parent().map(Path::metadata) {
        let _ = give_to_owner_of(file, &folder);
    }
}

#[cfg(not(unix))]
fn make_private(_file: &File, _metadata: &Metadata, _path: &Path) {}

/// Gives `file` the owner and the group of `model`: root must not lock a user out of the user's own files.
///
/// # Errors
/// If this process may not do so.
#[cfg(unix)]
pub fn give_to_owner_of(file: &File, model: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    if file.metadata()?.uid() == model.uid() {
        return Ok(());
    }
    fchown(file, Some(model.uid()), Some(model.gid())).map_err(|_| {
        let what = format!("it belongs to another user (id {})", model.uid());
        io::Error::new(ErrorKind::PermissionDenied, what)
    })
}

/// Creates `dir` and its missing parents, each 0700 and of the owner of the folder that it is in.
pub fn create_dir(dir: &Path) -> Result<()> {
    create_all(dir).context("create the folder", dir)
}

/// As [`create_dir`], for a folder that only this program uses.
///
/// # Errors
/// Also for root, if another user has made a link of it: its target may be anywhere.
pub fn create_own_dir(dir: &Path) -> Result<()> {
    if is_planted_link(dir) {
        let what = format!("{} is a symbolic link of another user", dir.display());
        return Err(Error::new(Kind::Storage, what).hint("remove the link"));
    }
    create_dir(dir)
}

#[cfg(unix)]
fn private_builder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(not(unix))]
fn private_builder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

#[cfg(unix)]
fn is_planted_link(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    rustix::process::geteuid().is_root()
        && dir.symlink_metadata().is_ok_and(|found| found.is_symlink() && found.uid() != 0)
}

#[cfg(not(unix))]
fn is_planted_link(_dir: &Path) -> bool {
    false
}

fn create_all(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or(Path::new("/"));
    create_all(parent)?;
    check_folder(dir)?;
    match private_builder().create(dir) {
        // Another process has created it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => return Ok(()),
        created => created?,
    }
    #[cfg(unix)]
    if let (Ok(created), Ok(model)) = (File::open(dir), parent.metadata()) {
        // Only root creates a folder for another user.
        let _ = give_to_owner_of(&created, &model);
    }
    Ok(())
}
