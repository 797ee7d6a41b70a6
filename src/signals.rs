//! The signals that ask a process to end, and a process that may not end yet.

#[cfg(unix)]
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Keeps SIGTERM and SIGHUP waiting until it is dropped.
///
/// A signal goes to any thread that does not block it, so [`crate::threads`] starts threads that do.
#[cfg(unix)]
pub struct Deferred(Option<SigSet>);

#[cfg(unix)]
impl Deferred {
    /// SIGINT still ends the process, because its user wants to go on.
    pub fn begin() -> Self {
        Self::of(&[Signal::SIGTERM, Signal::SIGHUP])
    }

    /// SIGINT waits, too.
    pub fn with_interrupt() -> Self {
        Self::of(&[Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT])
    }

    fn of(signals: &[Signal]) -> Self {
        let signals: SigSet = signals.iter().copied().collect();
        Self(signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }
}

#[cfg(unix)]
impl Drop for Deferred {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = before.thread_set_mask();
        }
    }
}

#[cfg(not(unix))]
pub struct Deferred;

#[cfg(not(unix))]
impl Deferred {
    pub fn begin() -> Self {
        Self
    }

    pub fn with_interrupt() -> Self {
        Self
    }
}
