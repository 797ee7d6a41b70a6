//! Hands a call over to the full program, which gets the same words and the same input.

use codex_credential::answer::docker;
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind};
use codex_credential::programs;
use codex_credential::stdin::TimedStdin;
use codex_credential::ui::ErrorFormat;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::{mem, thread};

/// Every pipe takes as much before it is read (`_POSIX_PIPE_BUF` is less), in bytes.
const PIPE: usize = 4096;

/// An input that is remembered while it is read.
pub struct RecordedInput {
    input: TimedStdin,
    deadline: Deadline,
    read: Vec<u8>,
    /// It did not come in time, or could not be read.
    has_failed: bool,
}

impl RecordedInput {
    pub fn new(input: TimedStdin, deadline: Deadline) -> Self {
        Self { input, deadline, read: Vec::new(), has_failed: false }
    }
}

impl Read for RecordedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What does not fit into a pipe is for the full program from here on.
        if self.read.len() > PIPE {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let read = self.input.read(buffer);
        self.has_failed = read.is_err();
        let length = read?;
        self.read.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

/// Not inlined: its frame takes three pages of the stack, and a warm call touches none of them.
#[cold]
#[inline(never)]
pub fn hand_over(begun: Option<RecordedInput>) -> ExitCode {
    run(begun).unwrap_or_else(|error| {
        let what = "cannot run codex-credential-full";
        let hint = "it belongs beside codex-credential; install both programs";
        if docker_name().is_some() {
            // Docker reads errors on standard output.
            let _ = writeln!(io::stdout(), "{what}: {error}; {hint}");
            return ExitCode::FAILURE;
        }
        let error = Error::new(Kind::Storage, what).caused_by(error).hint(hint);
        ErrorFormat::Text.show(&error);
        ExitCode::from(error.kind.exit_code())
    })
}

fn run(begun: Option<RecordedInput>) -> io::Result<ExitCode> {
    let mut full = Command::new(programs::full()?);
    let docker_name = docker_name();
    if let Some(name) = &docker_name {
        hand_name_over(&mut full, name);
    }
    full.args(std::env::args_os().skip(1));
    let Some(begun) = begun else { return become_it(full) };
    if docker_name.is_none() {
        full.arg("--remaining").arg(format!("{}ms", begun.deadline.remaining().as_millis()));
    }
    if begun.has_failed && begun.read.is_empty() {
        return become_it(full);
    }
    if begun.has_failed || begun.read.len() > PIPE {
        return relay(full, begun);
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(&begun.read)?;
    drop(writer);
    full.stdin(reader);
    become_it(full)
}

/// The name that this program was started by, if it is Docker's.
fn docker_name() -> Option<OsString> {
    std::env::args_os().next().filter(|name| docker::is_name(name))
}

#[cfg(unix)]
fn hand_name_over(full: &mut Command, name: &OsStr) {
    std::os::unix::process::CommandExt::arg0(full, name);
}

/// Elsewhere a program cannot choose the name of another: it goes first among the arguments.
#[cfg(not(unix))]
fn hand_name_over(full: &mut Command, name: &OsStr) {
    full.arg(name);
}

#[cfg(unix)]
fn become_it(mut full: Command) -> io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut full))
}

#[cfg(not(unix))]
fn become_it(mut full: Command) -> io::Result<ExitCode> {
    ended(full.spawn()?)
}

/// For what is too long for a pipe that nobody reads yet, and for what has not come to its end.
fn relay(mut full: Command, begun: RecordedInput) -> io::Result<ExitCode> {
    let mut child = full.stdin(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take();
    // One that has heard enough ends, whether or not there is more to say.
    thread::spawn(move || {
        let RecordedInput { input: mut rest, read, .. } = begun;
        let Some(to) = &mut pipe else { return };
        if to.write_all(&read).and_then(|()| io::copy(&mut rest, to)).is_err() {
            // The end of what did not come is not told.
            mem::forget(pipe);
        }
    });
    ended(child)
}

fn ended(mut child: Child) -> io::Result<ExitCode> {
    // Ended by a signal: what a shell would say is not ours to invent.
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
