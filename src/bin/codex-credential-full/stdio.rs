//! Standard input, read until a deadline, and standard output.

use codex_credential::answer::credential::Credential;
use codex_credential::answer::request;
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::output;
use codex_credential::stdin::TimedStdin;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

/// Returns standard input, unless it is a terminal. Reads fail after `deadline`.
pub fn input(deadline: Deadline) -> Option<impl BufRead> {
    let stdin = TimedStdin::new(deadline);
    (!io::stdin().is_terminal()).then(|| BufReader::new(stdin))
}

/// Reads a request in git's protocol. A terminal is an empty request.
pub fn read_credential(deadline: Deadline) -> Result<Credential> {
    input(deadline).map_or(Ok(Credential::default()), request::read_credential)
}

/// Closes standard output. What is written afterwards is lost.
pub fn close_output() {
    #[cfg(unix)]
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

pub fn print(text: &str) -> Result<()> {
    write(text.as_bytes())
}

pub fn write(bytes: &[u8]) -> Result<()> {
    io::stdout().write_all(bytes).map_err(cannot_write)
}

/// As [`write()`], for a caller that does not wait for its reader after `deadline`.
pub fn write_until(bytes: &[u8], deadline: &Deadline) -> Result<()> {
    output::to_stdout(bytes, deadline.remaining()).map_err(cannot_write)
}

fn cannot_write(error: io::Error) -> Error {
    Error::new(Kind::Storage, "cannot write to standard output").caused_by(error)
}
