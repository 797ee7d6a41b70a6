//! Keeps trying to record or store an answer: the tokens are nowhere else, and the old refresh token is spent.

use crate::clock::Deadline;
use crate::error::Result;
use crate::renewal::validate::ValidationError;
use std::thread;
use std::time::Duration;

/// How long a disk, a file server or a keyring has to take writes again.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Records the answer and stores it. Tries both again for as long as both fail.
pub(super) fn until_recorded_or_stored<T>(
    mut record: impl FnMut() -> Result<()>,
    mut store: impl FnMut() -> Result<T, ValidationError>,
) -> Result<T, ValidationError> {
    let deadline = Deadline::after(PATIENCE);
    let mut pause = Duration::from_millis(10);
    loop {
        match (record(), store()) {
            (Err(_), Err(ValidationError::NotNow(_))) if !deadline.is_over() => {}
            (Err(error), Err(ValidationError::NotNow(_))) => return Err(error.into()),
            (_, stored) => return stored,
        }
        thread::sleep(pause.min(deadline.remaining()));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};
    use std::cell::Cell;

    fn full() -> Error {
        Error::new(Kind::Storage, "full")
    }

    /// Fails `times` times and counts the calls.
    fn failing(times: u32, count: &Cell<u32>) -> impl FnMut() -> Result<()> {
        move || {
            count.set(count.get() + 1);
            if count.get() > times { Ok(()) } else { Err(full()) }
        }
    }

    /// Returns how often each was called, and whether the answer is stored.
    fn tried(record_fails: u32, store_fails: u32) -> (u32, u32, bool) {
        let (records, stores) = (Cell::new(0), Cell::new(0));
        let mut store = failing(store_fails, &stores);
        let outcome = until_recorded_or_stored(failing(record_fails, &records), || Ok(store()?));
        (records.get(), stores.get(), outcome.is_ok())
    }

    #[test]
    fn both_are_tried_again_only_while_both_fail() {
        assert_eq!(tried(0, 0), (1, 1, true));
        assert_eq!(tried(9, 0), (1, 1, true));
        assert_eq!(tried(0, 9), (1, 1, false), "the next run stores the recorded answer");
        assert_eq!(tried(9, 3), (4, 4, true));
        assert_eq!(tried(3, 9), (4, 4, false));
    }

    #[test]
    fn ended_login_is_not_ended_again() {
        let ends = Cell::new(0);
        let ended = until_recorded_or_stored(
            || Err(full()),
            || -> Result<(), ValidationError> {
                ends.set(ends.get() + 1);
                Err(ValidationError::Ended(full()))
            },
        );
        assert!(matches!(ended, Err(ValidationError::Ended(_))));
        assert_eq!(ends.get(), 1);
    }
}
