//! Writes to standard error and standard output without waiting long for a reader that has stopped reading: this process may
//! hold a lock that others need.

use std::io;
#[cfg(not(unix))]
use std::io::{stderr, stdout};
use std::time::Duration;
#[cfg(unix)]
use {
    crate::clock::Deadline,
    rustix::event::{PollFd, PollFlags, Timespec, poll},
    rustix::io::Errno,
    rustix::stdio::{stderr, stdout},
    std::os::fd::BorrowedFd,
    std::sync::{Mutex, PoisonError},
};

/// How long a message waits for a slow reader.
const PATIENCE: Duration = Duration::from_millis(200);

/// The length that a writable pipe takes at once, in bytes.
#[cfg(unix)]
const CHUNK_LENGTH: usize = 4096;

/// Writes `text`, and drops what the reader does not take within 200 ms. Errors are ignored: a closed stderr must not make
/// the command fail.
pub fn to_stderr(text: &str) {
    let _ = write_within(stderr(), text.as_bytes(), PATIENCE);
}

/// Writes `text` as far as it fits now, and drops the rest.
pub fn to_stderr_now(text: &[u8]) {
    let _ = write_within(stderr(), text, Duration::ZERO);
}

/// Writes `bytes` to standard output. Waits for a slow reader for 200 ms, or longer if there is `patience`.
///
/// # Errors
/// `TimedOut` if the reader does not take all.
pub fn to_stdout(bytes: &[u8], patience: Duration) -> io::Result<()> {
    write_within(stdout(), bytes, patience.max(PATIENCE))
}

#[cfg(unix)]
fn write_within(to: BorrowedFd, mut text: &[u8], patience: Duration) -> io::Result<()> {
    // Two threads that find room for one text must not both write.
    static WRITER: Mutex<()> = Mutex::new(());
    let _writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let deadline = Deadline::after(patience);
    while !text.is_empty() {
        if !becomes_writable(to, &deadline) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader does not read"));
        }
        match write_chunk(to, &text[..text.len().min(CHUNK_LENGTH)]) {
            Ok(written) => text = &text[written..],
            Err(Errno::INTR) => {}
            // Another process has filled the pipe.
            Err(Errno::AGAIN) if !deadline.is_over() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn becomes_writable(to: BorrowedFd, deadline: &Deadline) -> bool {
    let timeout = Timespec::try_from(deadline.remaining()).ok();
    match poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], timeout.as_ref()) {
        Err(Errno::INTR) => becomes_writable(to, deadline),
        ready => ready.is_ok_and(|ready| ready > 0),
    }
}

/// Writes to a pipe only what fits: another process may fill it after it was polled.
#[cfg(target_os = "linux")]
fn write_chunk(to: BorrowedFd, chunk: &[u8]) -> rustix::io::Result<usize> {
    use rustix::fs::{FileType, fstat};
    use rustix::io::{IoSlice, ReadWriteFlags, pwritev2};
    let is_pipe = fstat(to).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_fifo());
    if is_pipe {
        // This offset stands for the end of what was written.
        match pwritev2(to, &[IoSlice::new(chunk)], u64::MAX, ReadWriteFlags::NOWAIT) {
            // Old kernels cannot.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::SPIPE) => {}
            written => return written,
        }
    }
    rustix::io::write(to, chunk)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn write_chunk(to: BorrowedFd, chunk: &[u8]) -> rustix::io::Result<usize> {
    rustix::io::write(to, chunk)
}

#[cfg(not(unix))]
fn write_within(mut to: impl io::Write, text: &[u8], _patience: Duration) -> io::Result<()> {
    to.write_all(text)
}
