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
    /// Appends to a file that the user names, which may be a FIFO with a reader or a character device.
    Output,
}

/// Opens a file of our own. All but [`Access::Read`] create it with mode 0600, and make it private again where others can
/// open it: a reader could hold the lock.
///
/// # Errors
/// For a link and for what is not a regular file, with the exceptions of [`Access::Output`]; for appending, also for a file
/// with a second name.
pub fn open(path: &Path, access: Access) -> io::Result<File> {
    let mut options = File::options();
    match access {
        Access::Read => options.read(true),
        Access::Lock => options.read(true).write(true).create(true),
        Access::Append | Access::Output => options.append(true).create(true),
    };
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let mut flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        // The system's own links, such as /dev/stderr.
        let is_in_dev =
            ["/dev", "/dev/fd"].map(Path::new).iter().any(|folder| path.parent() == Some(folder));
        if access == Access::Output && is_in_dev {
            flags -= OFlags::NOFOLLOW;
        }
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    if access != Access::Read && !path.exists() {
        check_folder(path)?;
    }
    let file = options.open(path).map_err(|error| explained(path, access, error))?;
    let metadata = file.metadata()?;
    if access == Access::Output && is_pipe_or_device(&metadata) {
        return Ok(file);
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // A hard link may lead to a file elsewhere. Backups make hard links as well, so a lock file may have one.
    let is_linked = has_second_name(&metadata);
    if is_linked && matches!(access, Access::Append | Access::Output) {
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

#[cfg(unix)]
fn is_pipe_or_device(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    kind.is_fifo() || kind.is_char_device()
}

#[cfg(not(unix))]
fn is_pipe_or_device(_metadata: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn unavailable(metadata: &Metadata, error: io::Error) -> io::Error {
    use std::os::unix::fs::FileTypeExt;
    match error.raw_os_error() {
        Some(number) if number != rustix::io::Errno::NXIO.raw_os_error() => error,
        _ if metadata.file_type().is_fifo() => io::Error::other("no process reads this pipe"),
        _ => io::Error::other("this process has no such device, or no terminal"),
    }
}

#[cfg(not(unix))]
fn unavailable(_metadata: &Metadata, error: io::Error) -> io::Error {
    error
}

/// The system's own words for a link are "too many levels of symbolic links", and "no such device" for a pipe that no process
/// reads.
fn explained(path: &Path, access: Access, error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::NotFound {
        return error;
    }
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => io::Error::other("it is a symbolic link"),
        Ok(metadata) if access == Access::Output && is_pipe_or_device(&metadata) => {
            unavailable(&metadata, error)
        }
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
