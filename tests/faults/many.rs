//! How many of the possible tries are made, and by how many at a time.

use crate::strace::Call;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Short,
    Long,
}

/// Tries at a time: they sleep for most of their time.
pub const AT_ONCE: usize = 8;

pub fn form() -> Option<Form> {
    match std::env::var("FAULTS").ok()?.as_str() {
        "short" => Some(Form::Short),
        "long" => Some(Form::Long),
        other => panic!("FAULTS is short or long, not {other}"),
    }
}

/// All of those that matter in the long form, else [`some`].
pub fn chosen(calls: Vec<Call>, count: usize) -> Vec<Call> {
    if form() == Some(Form::Long) { some(calls, usize::MAX) } else { some(calls, count) }
}

/// About `count` of those that matter, spread over the whole run.
pub fn some(calls: Vec<Call>, count: usize) -> Vec<Call> {
    let calls: Vec<Call> = calls.into_iter().filter(|call| matters(&call.name)).collect();
    let step = calls.len().div_ceil(count).max(1);
    calls.into_iter().skip(step / 2).step_by(step).collect()
}

/// What a call did that is none of these is all that others can see of it: a process that is killed at one of them
/// leaves what it would have left at the one after.
fn matters(name: &str) -> bool {
    const MEMORY: &[&str] =
        &["mmap", "munmap", "mprotect", "brk", "madvise", "mremap", "mlock", "munlock"];
    const ITSELF: &[&str] = &[
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
    const LOOKING: &[&str] = &[
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
    ![MEMORY, ITSELF, LOOKING].concat().contains(&name)
}

/// Makes each of `tries`, and gives back what came of them in any order.
pub fn each<T: Sync, R: Send>(tries: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    each_of_some(AT_ONCE, tries, one)
}

/// As [`each`], so many at a time.
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
