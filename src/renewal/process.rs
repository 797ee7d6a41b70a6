//! Detaches the renewal process from its caller, which may end at any time, and lets a signal end it only between
//! exchanges: the answer of a refresh request that is lost ends the login.

use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(unix)]
use {crate::clock::Deadline, std::sync::TryLockError, std::thread, std::time::Duration};

/// How long a signal waits for the exchange in flight. Shutdowns and service managers wait longer before they kill.
#[cfg(unix)]
const EXCHANGE_PATIENCE: Duration = Duration::from_secs(30);

static EXCHANGE: Mutex<()> = Mutex::new(());

/// Begins a request to the token endpoint. Until the guard is dropped, no signal ends this process. Drop it when the answer
/// is recorded.
pub(super) fn begin_exchange() -> MutexGuard<'static, ()> {
    EXCHANGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives this process its own session, the folder `/` and the full CPU time, closes what it inherited except the standard
/// streams, and defers signals. Call this first: later descriptors and threads are this process's own.
#[cfg(unix)]
pub fn detach() {
    close_inherited();
    // Each of these fails only where it is not needed or not allowed.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    unlimit_cpu();
    defer_signals();
}

#[cfg(not(unix))]
pub fn detach() {}

/// The caller's locks, pipes and sockets must not stay open for as long as this process runs.
#[cfg(unix)]
fn close_inherited() {
    let Ok(folder) = std::fs::read_dir("/dev/fd") else { return };
    let open: Vec<i32> =
        folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        let _ = nix::unistd::close(descriptor);
    }
}

#[cfg(unix)]
fn unlimit_cpu() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Cpu);
    let _ = setrlimit(Resource::Cpu, Rlimit { current: maximum, maximum });
}

/// Blocks all signals but those of faults and job control, and ends this process at the first one that asks for it, after
/// the exchange in flight. Threads inherit the blocked signals.
#[cfg(unix)]
fn defer_signals() {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::all();
    for kept in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGABRT,
        Signal::SIGSYS,
        Signal::SIGCHLD,
        Signal::SIGCONT,
        Signal::SIGURG,
        Signal::SIGWINCH,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
    ] {
        signals.remove(kept);
    }
    if signals.thread_block().is_err() {
        return;
    }
    let _ = thread::Builder::new().spawn(move || {
        loop {
            match signals.wait() {
                // The write that caused it fails with an error.
                Ok(Signal::SIGXFSZ | Signal::SIGPIPE) => {}
                Ok(signal) => end(128 + signal as i32),
                // A real-time signal, which has no name.
                Err(_) => end(1),
            }
        }
    });
}

/// Ends this process after the exchange in flight. No exchange begins meanwhile.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "main.rs waits for the exchange")]
fn end(code: i32) -> ! {
    let deadline = Deadline::after(EXCHANGE_PATIENCE);
    let _none = loop {
        match EXCHANGE.try_lock() {
            Err(TryLockError::WouldBlock) if !deadline.is_over() => {}
            none => break none,
        }
        thread::sleep(Duration::from_millis(10));
    };
    std::process::exit(code)
}
