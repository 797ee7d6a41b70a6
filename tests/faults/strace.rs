//! Runs the real program under strace: lists its system calls, and makes one of them kill the process or fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

const STRACE: &str = "/usr/bin/strace";

/// The start and the end of a program, which are not tried.
const START_AND_END: [&str; 2] = ["execve", "exit_group"];

/// The `nth` call of this name in a thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub name: String,
    pub nth: u32,
}

/// Which processes are traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The started program without its children.
    Caller,
    /// Every thread and every child.
    All,
}

/// What happens instead of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed.
    Kill,
    /// The call fails with this error.
    Error(&'static str),
    /// This call and the next seven of its name fail with this error.
    Errors(&'static str),
}

pub fn is_installed() -> bool {
    Command::new(STRACE).arg("--version").output().is_ok()
}

/// Calls on paths of the system, which the program only reads, are not tried.
const SYSTEM: [&str; 10] = [
    "\"/etc/", "</etc/", "\"/usr/", "</usr/", "\"/lib", "</lib", "\"/proc/", "</proc/", "\"/sys/",
    "</sys/",
];

/// Returns the calls that `command` makes, with `input` as standard input.
pub fn calls(command: &Command, input: &Path, who: Who) -> Vec<Call> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = strace(command, who, &["-y", "-o", trace.path().to_str().unwrap()]);
    let output = strace.stdin(File::open(input).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = fs::read_to_string(trace.path()).unwrap();
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in trace.lines() {
        // Such as "1234  openat(AT_FDCWD, …". Without children the process id is missing.
        let (thread, call) = match line.split_once(char::is_whitespace) {
            Some((thread, call)) if who == Who::All => (thread, call.trim_start()),
            _ => ("", line),
        };
        let Some((name, _)) = call.split_once('(') else { continue };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) || START_AND_END.contains(&name) {
            continue;
        }
        let nth = counts.entry((thread, name)).or_default();
        *nth += 1;
        if SYSTEM.iter().any(|path| call.contains(path)) {
            continue;
        }
        calls.insert(Call { name: name.to_owned(), nth: *nth });
    }
    calls.into_iter().collect()
}

/// Runs `command` with `fault` at `call`. Returns its output and how often the fault was injected: once in each process
/// that reaches the call.
pub fn disturbed(
    command: &Command,
    input: &Path,
    who: Who,
    call: &Call,
    fault: Fault,
) -> (Output, usize) {
    let Call { name, nth } = call;
    let fault = match fault {
        Fault::Kill => format!("inject={name}:signal=KILL:when={nth}"),
        Fault::Error(error) => format!("inject={name}:error={error}:when={nth}"),
        Fault::Errors(error) => format!("inject={name}:error={error}:when={nth}..{}", nth + 7),
    };
    let what = format!("trace={name}");
    let trace = tempfile::NamedTempFile::new().unwrap();
    let more = ["-o", trace.path().to_str().unwrap(), "-e", &what, "-e", &fault];
    let output = strace(command, who, &more).stdin(File::open(input).unwrap()).output().unwrap();
    let trace = fs::read_to_string(trace.path()).unwrap();
    let injected = ["(INJECTED)", "= ?"].map(|mark| trace.matches(mark).count());
    (output, injected.iter().sum())
}

fn strace(command: &Command, who: Who, more: &[&str]) -> Command {
    let mut strace = Command::new(STRACE);
    strace.args(["-q", "-e", "signal=none"]).args(more);
    if who == Who::All {
        strace.arg("-f");
    }
    strace.arg("--").arg(command.get_program()).args(command.get_args()).env_clear();
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace
}
