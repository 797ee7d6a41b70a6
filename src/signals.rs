//! The signals that ask a process to end, and a process that may not end yet.

/// Keeps SIGTERM and SIGHUP waiting until it is dropped. SIGINT still ends the process, because its user wants to go on.
///
/// A signal goes to any thread that does not block it, so [`crate::threads`] starts threads that do.
#[cfg(unix)]
pub struct Deferred(Option<nix::sys::signal::SigSet>);

#[cfg(unix)]
impl Deferred {
    pub fn begin() -> Self {
        use nix::sys::signal::{SigSet, SigmaskHow, Signal};
        let signals: SigSet = [Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
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
}
