//! Reports replaced and removed files in a set of folders.

use crate::error::Result;
use crate::threads;
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use {
    rustix::fs::inotify::{self, CreateFlags, WatchFlags},
    std::io::Read,
};
use {std::thread, std::time::Duration};

/// Calls `changed` after a file in `folders` was replaced or removed, until it returns false. Without inotify it calls
/// `changed` four times a second, so `changed` must check for itself.
pub fn watch(folders: &[PathBuf], changed: impl FnMut() -> bool + Send + 'static) -> Result<()> {
    #[cfg(target_os = "linux")]
    if let Ok(events) = inotify(folders) {
        return threads::spawn(move || wait_for_events(events, changed)).map(drop);
    }
    let _ = folders;
    threads::spawn(move || poll(changed)).map(drop)
}

fn poll(mut changed: impl FnMut() -> bool) {
    while changed() {
        thread::sleep(Duration::from_millis(250));
    }
}

#[cfg(target_os = "linux")]
fn inotify(folders: &[PathBuf]) -> rustix::io::Result<std::fs::File> {
    let events = inotify::init(CreateFlags::CLOEXEC)?;
    for folder in folders {
        inotify::add_watch(&events, folder, WatchFlags::MOVED_TO | WatchFlags::DELETE)?;
    }
    Ok(events.into())
}

#[cfg(target_os = "linux")]
fn wait_for_events(mut events: std::fs::File, mut changed: impl FnMut() -> bool) {
    // The events are not parsed: `changed` checks for itself.
    let mut buffer = [0; 4096];
    while events.read(&mut buffer).is_ok() && changed() {}
}
