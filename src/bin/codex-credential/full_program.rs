//! Runs the full program in place of this one, with the same arguments and the same input.

use codex_credential::answer::docker;
use codex_credential::clock::Deadline;
use codex_credential::error::{Error, Kind};
use codex_credential::programs::{self, exec, wait};
use codex_credential::stdin::TimedStdin;
use codex_credential::ui::ErrorFormat;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::{mem, thread};

/// What a pipe holds on every system before a reader takes anything out, in bytes.
const PIPE_CAPACITY: usize = 4096;

/// Standard input, which keeps what was read from it.
pub struct RecordedInput {
    stdin: TimedStdin,
    deadline: Deadline,
    bytes: Vec<u8>,
    /// Whether the last read failed, or did not end in time.
    has_failed: bool,
}

impl RecordedInput {
    pub fn new(stdin: TimedStdin, deadline: Deadline) -> Self {
        Self { stdin, deadline, bytes: Vec::new(), has_failed: false }
    }
}

impl Read for RecordedInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The full program reads the rest of a longer input.
        if self.bytes.len() > PIPE_CAPACITY {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let result = self.stdin.read(buffer);
        self.has_failed = result.is_err();
        let length = result?;
        self.bytes.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

/// Runs the full program and returns its exit code. `input` is what was read from standard input so far.
// Not inlined: its frame takes three pages of stack that a warm call never touches.
#[cold]
#[inline(never)]
pub fn run(input: Option<RecordedInput>) -> ExitCode {
    replace_this_process(input).unwrap_or_else(|error| {
        let message = "cannot run codex-credential-full";
        let hint = "install codex-credential-full in the folder of codex-credential";
        if docker_name().is_some() {
            // Docker reads errors from standard output.
            let _ = writeln!(io::stdout(), "{message}: {error}; {hint}");
            return ExitCode::FAILURE;
        }
        let error = Error::new(Kind::Storage, message).caused_by(error).hint(hint);
        ErrorFormat::named_in(std::env::args_os()).show(&error);
        ExitCode::from(error.kind.exit_code())
    })
}

fn replace_this_process(input: Option<RecordedInput>) -> io::Result<ExitCode> {
    let mut command = Command::new(programs::full()?);
    let docker_name = docker_name();
    if let Some(name) = &docker_name {
        set_program_name(&mut command, name);
    }
    command.args(std::env::args_os().skip(1));
    let Some(input) = input else { return exec(command) };
    if docker_name.is_none() {
        command.arg("--remaining").arg(format!("{}ms", input.deadline.remaining().as_millis()));
    }
    if input.has_failed && input.bytes.is_empty() {
        return exec(command);
    }
    if input.has_failed || input.bytes.len() > PIPE_CAPACITY {
        return relay(command, input);
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(&input.bytes)?;
    drop(writer);
    command.stdin(reader);
    exec(command)
}

/// Returns the name by which Docker started this program, if it did.
fn docker_name() -> Option<OsString> {
    std::env::args_os().next().filter(|name| docker::is_name(name))
}

#[cfg(unix)]
fn set_program_name(command: &mut Command, name: &OsStr) {
    std::os::unix::process::CommandExt::arg0(command, name);
}

/// Passes the name as the first argument: on this system a program cannot set `argv[0]` of another.
#[cfg(not(unix))]
fn set_program_name(command: &mut Command, name: &OsStr) {
    command.arg(name);
}

/// Runs the full program as a child and copies the input to it: the input is too long for a pipe, or has not ended.
fn relay(mut command: Command, input: RecordedInput) -> io::Result<ExitCode> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take();
    thread::Builder::new().spawn(move || {
        let RecordedInput { mut stdin, bytes, .. } = input;
        let Some(pipe_to_child) = &mut pipe else { return };
        let copied = pipe_to_child.write_all(&bytes);
        if copied.and_then(|()| io::copy(&mut stdin, pipe_to_child)).is_err() {
            // The pipe stays open, so that the child does not take a failed read for the end of the input.
            mem::forget(pipe);
        }
    })?;
    wait(child)
}
