//! Reads files whole, without waiting: opening a FIFO would wait for its writer.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// The longest file that is read or written, in bytes: many times the length of a login.
pub const MAX_LENGTH: u64 = 4 * 1024 * 1024;

/// The content of a file, overwritten in memory when it is dropped.
pub type Bytes = Zeroizing<Vec<u8>>;

/// Reads a file that the user names: a certificate, a secret or an identity. Links are followed.
///
/// # Errors
/// `InvalidInput` if it is a FIFO, a device, a socket or a folder.
pub fn read_regular(path: &Path) -> io::Result<Bytes> {
    let file = open(path)?;
    if file.metadata()?.is_file() {
        return read_open(file);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
}

/// Reads the rest of an open file.
pub fn read_open(file: File) -> io::Result<Bytes> {
    // Room for all of it, because a growing buffer leaves unerased copies behind.
    let length = file.metadata()?.len().min(MAX_LENGTH);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length + 1).unwrap_or(0)));
    file.take(MAX_LENGTH + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(bytes)
}

#[cfg(unix)]
pub fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}
