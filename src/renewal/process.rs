//! Detaches the renewal process from its caller, which may end at any time, and lets a signal end it only between
//! exchanges: the answer of a refresh request that is lost ends the login.

use crate::error::Result;
use crate::trace::Pause;
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(unix)]
use {
    crate::clock::Deadline, crate::threads, std::sync::TryLockError, std::thread,
    std::time::Duration,
};

/// How long a signal waits for the exchange in flight. Shutdowns and service managers wait longer before they kill.
#[cfg(unix)]
const EXCHANGE_PATIENCE: Duration = Duration::from_secs(30);

static EXCHANGE: Mutex<()> = Mutex::new(());

/// Begins a request to the token endpoint. Until the guard is dropped, no signal ends this process. Drop it when the answer
/// is recorded.
pub(super) fn begin_exchange() -> Exchange {
    let guard = EXCHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    Exchange { _traces: Pause::begin(), _guard: guard }
}

/// A request in flight. Its traces are written after its answer is recorded, at the latest when this is dropped.
pub(super) struct Exchange {
    _traces: Pause,
    _guard: MutexGuard<'static, ()>,
}

/// Gives this process its own session, the folder `/` and the full CPU time, closes what it inherited except the standard
/// streams, and defers signals. Call this first: later descriptors and threads are this process's own.
///
/// # Errors
/// If the system refuses the thread that waits for signals.
#[cfg(unix)]
pub fn detach() -> Result<()> {
    close_inherited();
    // Each of these fails only where it is not needed or not allowed.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    unlimit_cpu();
    defer_signals()
}

#[cfg(not(unix))]
pub fn detach() -> Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub fn defer_signals() -> Result<()> {
    Ok(())
}

/// The caller's locks, pipes and sockets must not stay open for as long as this process runs.
#[cfg(unix)]
fn close_inherited() {
    let open: Vec<i32> = match std::fs::read_dir("/dev/fd") {
        Ok(folder) => {
            folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
        }
        // Without /proc.
        Err(_) => (0..1024).collect(),
    };
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
pub fn defer_signals() -> Result<()> {
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
        return Ok(());
    }
    let waiter = threads::spawn(move || -> () {
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
    waiter.map(drop)
}

/// Ends this process after the exchange in flight. No other exchange begins before it ends.
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
