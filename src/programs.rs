//! The two programs, installed in one folder: a small one that answers, and the full one. And how a program runs another
//! in its place.

use std::env::consts::EXE_SUFFIX;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};

/// The name by which Docker runs the first program: `docker-credential-` and [`DOCKER_SUFFIX`].
pub const DOCKER_NAME: &str = "docker-credential-codex-credential";
/// The value of an entry in Docker's `credHelpers`.
pub const DOCKER_SUFFIX: &str = "codex-credential";

/// Returns the path of the program that callers run.
pub fn front() -> io::Result<PathBuf> {
    beside("codex-credential")
}

/// Returns the path of the program that the front hands over to.
pub fn full() -> io::Result<PathBuf> {
    beside("codex-credential-full")
}

fn beside(name: &str) -> io::Result<PathBuf> {
    let program = std::env::current_exe().or_else(|error| started_as().ok_or(error))?;
    // Some systems name the link that was started, and the other program does not lie beside a link.
    let program = match program.canonicalize() {
        Ok(target) if cfg!(unix) => target,
        _ => program,
    };
    Ok(program.with_file_name(format!("{name}{EXE_SUFFIX}")))
}

/// Returns the path by which this program was started: without /proc, Linux does not tell it.
#[expect(clippy::disallowed_methods, reason = "the PATH is a fact of the system, not a setting")]
fn started_as() -> Option<PathBuf> {
    let name = PathBuf::from(std::env::args_os().next()?);
    if name.components().count() > 1 {
        return std::path::absolute(name).ok();
    }
    let path = std::env::var_os("PATH")?;
    let mut entries = std::env::split_paths(&path).map(|folder| folder.join(&name));
    entries.find(|entry| entry.is_file())
}

/// Replaces this process with the command. Where the system cannot, runs it and returns its exit code.
#[cfg(unix)]
pub fn exec(mut command: Command) -> io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

#[cfg(not(unix))]
pub fn exec(mut command: Command) -> io::Result<ExitCode> {
    wait(command.spawn()?)
}

pub fn wait(mut child: Child) -> io::Result<ExitCode> {
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    // A child that a signal ended has no exit code.
    Ok(ExitCode::from(code.unwrap_or(1)))
}
