//! Standard input, for as long as a caller waits, and standard output.

use codex_credential::answer::credential::Credential;
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::stdin::TimedStdin;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

/// Standard input, for as long as a caller waits; `None` where a person sits at it.
pub fn input(deadline: Deadline) -> Option<impl BufRead> {
    let stdin = TimedStdin::new(deadline);
    (!io::stdin().is_terminal()).then(|| BufReader::new(stdin))
}

pub fn request(deadline: Deadline) -> Result<Credential> {
    input(deadline).map_or(Ok(Credential::default()), Credential::read)
}

pub fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).map_err(cannot_write)
}

pub fn cannot_write(error: io::Error) -> Error {
    Error::new(Kind::Storage, "cannot write to standard output").caused_by(error)
}
