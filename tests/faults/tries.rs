//! Selects the tries to make, and makes several at a time.

use crate::strace::Call;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Short,
    Long,
}

/// Tries at a time. They mostly wait.
pub const AT_ONCE: usize = 8;

pub fn form() -> Option<Form> {
    match std::env::var("FAULTS").ok()?.as_str() {
        "short" => Some(Form::Short),
        "long" => Some(Form::Long),
        other => panic!("FAULTS is short or long, not {other}"),
    }
}

/// Returns all calls with a visible effect in the long form, else a sample of about `count`.
pub fn chosen(calls: Vec<Call>, count: usize) -> Vec<Call> {
    if form() == Some(Form::Long) { some(calls, usize::MAX) } else { some(calls, count) }
}

/// Returns a sample of about `count` calls with a visible effect, spread evenly over the run.
pub fn some(calls: Vec<Call>, count: usize) -> Vec<Call> {
    let calls: Vec<Call> = calls.into_iter().filter(|call| is_observable(&call.name)).collect();
    let step = calls.len().div_ceil(count).max(1);
    calls.into_iter().skip(step / 2).step_by(step).collect()
}

/// Whether other processes can observe the call. A kill at any other call leaves the same state as a kill at the next call
/// that they can observe.
fn is_observable(name: &str) -> bool {
    const MEMORY: &[&str] =
        &["mmap", "munmap", "mprotect", "brk", "madvise", "mremap", "mlock", "munlock"];
    const OWN_PROCESS: &[&str] = &[
        "arch_prctl",
        "futex",
        "getegid",
        "geteuid",
        "getgid",
        "getpid",
        "getrandom",
        "gettid",
        "getuid",
        "prctl",
        "prlimit64",
        "rseq",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "sched_getaffinity",
        "sched_yield",
        "set_robust_list",
        "set_tid_address",
        "sigaltstack",
        "uname",
    ];
    const READING: &[&str] = &[
        "access",
        "fcntl",
        "fstat",
        "getcwd",
        "getpeername",
        "getsockname",
        "getsockopt",
        "ioctl",
        "lstat",
        "newfstatat",
        "poll",
        "ppoll",
        "epoll_wait",
        "readlink",
        "stat",
        "statx",
    ];
    ![MEMORY, OWN_PROCESS, READING].concat().contains(&name)
}

/// Runs `one` for each of `tries`. The results are in any order.
pub fn each<T: Sync, R: Send>(tries: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    each_of_some(AT_ONCE, tries, one)
}

/// As [`each`], with `at_once` at a time.
pub fn each_of_some<T: Sync, R: Send>(
    at_once: usize,
    tries: &[T],
    one: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(try_) = tries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = one(try_);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}
