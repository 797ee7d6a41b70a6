//! Starts threads. The system may refuse one (`ulimit -u`), and `std::thread::spawn` would panic.

use crate::error::{Error, Kind, Result};
use crate::signals::Deferred;
use std::io;
use std::sync::RwLock;
use std::thread::{Builder, JoinHandle};

/// More threads than a library starts at once for us.
const PROBED: usize = 4;

pub fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    try_spawn(run).map_err(|error| {
        Error::new(Kind::Interrupted, "cannot start a thread")
            .caused_by(error)
            .hint("end some processes of this user, or raise the limits of processes and memory (ulimit -u, -d)")
    })
}

/// As [`spawn`], for a caller that words the error.
pub fn try_spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // The thread that has a reason to end later is the one that receives signals.
    let _signals = Deferred::begin();
    Builder::new().spawn(run)
}

/// Fails if the system refuses a few threads now. Call this before a library that starts threads and panics without them.
pub fn probe() -> Result<()> {
    // The threads wait until the last one has started.
    static ALL_STARTED: RwLock<()> = RwLock::new(());
    let starting = ALL_STARTED.write();
    let threads = (0..PROBED).map(|_| spawn(|| drop(ALL_STARTED.read())));
    let threads: Vec<_> = threads.collect();
    drop(starting);
    threads.into_iter().try_for_each(|thread| thread.map(|thread| drop(thread.join())))
}
