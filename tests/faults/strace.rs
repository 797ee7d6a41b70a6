//! The real program under strace: which system calls it makes, and what becomes of it when one of them is its last, or
//! fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

const STRACE: &str = "/usr/bin/strace";

/// Before the first of these there is no program, after the second it has ended.
const NO_MOMENTS: [&str; 2] = ["execve", "exit_group"];

/// One moment of a run: the `nth` call of this name in any one thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub name: String,
    pub nth: u32,
}

/// Who is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The program that is started, and not the one that it starts.
    Caller,
    /// Every thread and every child.
    All,
}

/// What happens at the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, in the place of the call.
    Kill,
    /// This error, in the place of the call.
    Error(&'static str),
    /// This error from here on, eight times over.
    Errors(&'static str),
}

pub fn is_there() -> bool {
    Command::new(STRACE).arg("--version").output().is_ok()
}

/// What is read there says how the system is set up, and nobody writes it.
const SYSTEM: [&str; 10] = [
    "\"/etc/", "</etc/", "\"/usr/", "</usr/", "\"/lib", "</lib", "\"/proc/", "</proc/", "\"/sys/",
    "</sys/",
];

/// Every call that `command` makes, with `input` on its standard input; its start, and what it reads of the system, aside.
pub fn calls(command: &Command, input: &Path, who: Who) -> Vec<Call> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = strace(command, who, &["-y", "-o", trace.path().to_str().unwrap()]);
    let output = strace.stdin(File::open(input).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = fs::read_to_string(trace.path()).unwrap();
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in trace.lines() {
        // 1234  openat(AT_FDCWD, …; without children there is no process id.
        let (thread, call) = match line.split_once(char::is_whitespace) {
            Some((thread, call)) if who == Who::All => (thread, call.trim_start()),
            _ => ("", line),
        };
        let Some((name, _)) = call.split_once('(') else { continue };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) || NO_MOMENTS.contains(&name) {
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

/// Runs `command` with `fault` at `call`; and how often it struck: each process that comes to that call is struck once.
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
    let struck = ["(INJECTED)", "= ?"].map(|mark| trace.matches(mark).count());
    (output, struck.iter().sum())
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
