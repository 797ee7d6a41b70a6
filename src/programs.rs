//! The two programs, which lie side by side: a small one that answers, and one that can do all the rest.

use std::env::consts::EXE_SUFFIX;
use std::io;
use std::path::PathBuf;

/// The one that others run.
pub fn answering() -> io::Result<PathBuf> {
    beside("codex-credential")
}

/// The one that it hands over to.
pub fn full() -> io::Result<PathBuf> {
    beside("codex-credential-full")
}

fn beside(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(format!("{name}{EXE_SUFFIX}")))
}
