//! Standard input with an end to the waiting: a caller that leaves its own input open would otherwise hang us.

use crate::clock::Deadline;
use std::io::{self, Read, Stdin};

pub struct PatientStdin {
    stdin: Stdin,
    deadline: Deadline,
}

impl PatientStdin {
    pub fn new(deadline: Deadline) -> Self {
        Self { stdin: io::stdin(), deadline }
    }
}

impl Read for PatientStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        wait(&self.stdin, &self.deadline)?;
        self.stdin.read(buffer)
    }
}

#[cfg(unix)]
fn wait(stdin: &Stdin, deadline: &Deadline) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec::try_from(deadline.remaining()).ok();
    match poll(&mut [PollFd::new(stdin, PollFlags::IN)], timeout.as_ref()) {
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "nothing came; end the request with a blank line, or give no input: </dev/null",
        )),
        Err(rustix::io::Errno::INTR) => wait(stdin, deadline),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Elsewhere a handle cannot be asked in general; the read itself waits.
#[cfg(not(unix))]
fn wait(_stdin: &Stdin, _deadline: &Deadline) -> io::Result<()> {
    Ok(())
}
