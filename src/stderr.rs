//! Writes to standard error without waiting for a reader that has stopped reading, because this process may hold a lock
//! that others need.

use std::time::Duration;
#[cfg(unix)]
use {
    crate::clock::Deadline,
    rustix::event::{PollFd, PollFlags, Timespec, poll},
    rustix::io::Errno,
    std::sync::{Mutex, PoisonError},
};

/// How long a message waits for a slow reader.
const PATIENCE: Duration = Duration::from_millis(200);

/// The length that a writable pipe takes at once, in bytes.
#[cfg(unix)]
const CHUNK_LENGTH: usize = 4096;

/// Writes `text`, and drops what the reader does not take within 200 ms. Errors are ignored: a closed stderr must not make
/// the command fail.
pub fn write(text: &str) {
    write_within(text.as_bytes(), PATIENCE);
}

/// Writes `text` as far as it fits now, and drops the rest.
pub fn write_now(text: &[u8]) {
    write_within(text, Duration::ZERO);
}

#[cfg(unix)]
fn write_within(mut text: &[u8], patience: Duration) {
    // Two threads that find room for one text must not both write.
    static WRITER: Mutex<()> = Mutex::new(());
    let _writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let deadline = Deadline::after(patience);
    while !text.is_empty() && becomes_writable(&deadline) {
        match write_chunk(&text[..text.len().min(CHUNK_LENGTH)]) {
            Ok(written) => text = &text[written..],
            Err(Errno::INTR) => {}
            // Another process has filled the pipe.
            Err(Errno::AGAIN) if !deadline.is_over() => {}
            Err(_) => return,
        }
    }
}

#[cfg(unix)]
fn becomes_writable(deadline: &Deadline) -> bool {
    let timeout = Timespec::try_from(deadline.remaining()).ok();
    let stderr = rustix::stdio::stderr();
    match poll(&mut [PollFd::from_borrowed_fd(stderr, PollFlags::OUT)], timeout.as_ref()) {
        Err(Errno::INTR) => becomes_writable(deadline),
        ready => ready.is_ok_and(|ready| ready > 0),
    }
}

/// Writes to a pipe only what fits: another process may fill it after it was polled.
#[cfg(target_os = "linux")]
fn write_chunk(chunk: &[u8]) -> rustix::io::Result<usize> {
    use rustix::fs::{FileType, fstat};
    use rustix::io::{IoSlice, ReadWriteFlags, pwritev2};
    let stderr = rustix::stdio::stderr();
    let is_pipe = fstat(stderr).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_fifo());
    if is_pipe {
        // This offset stands for the end of what was written.
        match pwritev2(stderr, &[IoSlice::new(chunk)], u64::MAX, ReadWriteFlags::NOWAIT) {
            // Old kernels cannot.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::SPIPE) => {}
            written => return written,
        }
    }
    rustix::io::write(stderr, chunk)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn write_chunk(chunk: &[u8]) -> rustix::io::Result<usize> {
    rustix::io::write(rustix::stdio::stderr(), chunk)
}

#[cfg(not(unix))]
fn write_within(text: &[u8], _patience: Duration) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
}
