//! Reads a small file whole. What is no such file neither hangs the reader (a FIFO) nor fills the memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Many times what a login takes, in bytes.
pub const LIMIT: u64 = 4 * 1024 * 1024;

pub type Bytes = Zeroizing<Vec<u8>>;

/// The content of the file; `None` when there is none.
pub fn read(path: &Path) -> io::Result<Option<Bytes>> {
    let file = match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Room for all of it: a buffer that grows leaves what was in it behind.
    let length = file.metadata()?.len().min(LIMIT);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length + 1).unwrap_or(0)));
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(Some(bytes))
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}
