//! Standard input with a time limit, because some callers leave their own input open.

use crate::clock::Deadline;
use std::io::{self, Read};

pub struct TimedStdin {
    #[cfg_attr(not(unix), expect(dead_code, reason = "reads cannot be interrupted there"))]
    deadline: Deadline,
}

impl TimedStdin {
    pub fn new(deadline: Deadline) -> Self {
        Self { deadline }
    }
}

/// Reads from the descriptor, because the standard library would keep a second buffer with secrets.
#[cfg(unix)]
impl Read for TimedStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        wait(&self.deadline)?;
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }
}

#[cfg(unix)]
fn wait(deadline: &Deadline) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec::try_from(deadline.remaining()).ok();
    let stdin = rustix::stdio::stdin();
    match poll(&mut [PollFd::from_borrowed_fd(stdin, PollFlags::IN)], timeout.as_ref()) {
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no input arrived; end the request with a blank line, or redirect the input from /dev/null",
        )),
        Err(rustix::io::Errno::INTR) => wait(deadline),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Other systems cannot poll every kind of handle, so the read has no time limit.
#[cfg(not(unix))]
impl Read for TimedStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(buffer)
    }
}
