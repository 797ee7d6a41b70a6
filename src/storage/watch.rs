//! Wakes a waiter when a file in one of some folders is replaced or removed.

use std::path::PathBuf;
#[cfg(target_os = "linux")]
use {
    rustix::fs::inotify::{self, CreateFlags, WatchFlags},
    std::io::Read,
};
use {std::thread, std::time::Duration};

/// Calls `changed` after each replacement or removal of a file in `folders`, until it returns false. Without
/// inotify it is called four times a second instead; a caller looks for itself in either case.
pub fn watch(folders: &[PathBuf], changed: impl FnMut() -> bool + Send + 'static) {
    #[cfg(target_os = "linux")]
    if let Ok(events) = inotify(folders) {
        thread::spawn(move || read(events, changed));
        return;
    }
    let _ = folders;
    thread::spawn(move || tick(changed));
}

fn tick(mut changed: impl FnMut() -> bool) {
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
fn read(mut events: std::fs::File, mut changed: impl FnMut() -> bool) {
    // What changed does not matter, only that something did.
    let mut buffer = [0; 4096];
    while events.read(&mut buffer).is_ok() && changed() {}
}
