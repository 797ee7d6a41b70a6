//! Standard input with an end to the waiting: a caller that leaves its own input open would otherwise hang us.

use crate::clock::Deadline;
use std::io::{self, Read};

pub struct PatientStdin {
    #[cfg_attr(not(unix), expect(dead_code, reason = "a read cannot be given up there"))]
    deadline: Deadline,
}

impl PatientStdin {
    pub fn new(deadline: Deadline) -> Self {
        Self { deadline }
    }
}

/// The standard library would keep a buffer of its own beside the reader's.
#[cfg(unix)]
impl Read for PatientStdin {
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
            "nothing came; end the request with a blank line, or give no input: </dev/null",
        )),
        Err(rustix::io::Errno::INTR) => wait(deadline),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Elsewhere a handle cannot be asked in general; the read itself waits.
#[cfg(not(unix))]
impl Read for PatientStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(buffer)
    }
}
