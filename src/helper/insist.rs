//! An answer that is neither noted nor stored is nowhere but in this process, which goes on trying then.

use super::admit::Refusal;
use crate::clock::Deadline;
use crate::error::Result;
use std::thread;
use std::time::Duration;

/// For a disk, a file server or a keyring that takes no writes for the moment.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Notes the answer and stores it, and does both again as long as neither can be done.
pub(super) fn until_one_holds<T>(
    mut note: impl FnMut() -> Result<()>,
    mut store: impl FnMut() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let deadline = Deadline::after(PATIENCE);
    let mut pause = Duration::from_millis(10);
    loop {
        match (note(), store()) {
            (Err(_), Err(Refusal::NotNow(_))) if !deadline.is_over() => {}
            (Err(error), Err(Refusal::NotNow(_))) => return Err(error.into()),
            (_, stored) => return stored,
        }
        thread::sleep(pause.min(deadline.remaining()));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
