//! Limits of this process (`ulimit`) that are too low. With less stack or memory the process would be killed without a message.

use crate::error::Result;
#[cfg(unix)]
use crate::error::{Error, Kind};
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the full program needs with its threads, in KB, and the command that shows and sets the limit.
#[cfg(unix)]
const NEEDED: [(Resource, u64, &str); 2] =
    [(Resource::Stack, 512, "ulimit -s"), (Resource::Data, 12 * 1024, "ulimit -d")];

/// Raises the limits that are too low.
///
/// # Errors
/// `Interrupted` for a limit that this process may not raise.
#[cfg(unix)]
pub fn raise() -> Result<()> {
    for (resource, needed, name) in NEEDED {
        let limit = getrlimit(resource);
        let is_low = |limit: Option<u64>| limit.is_some_and(|bytes| bytes < needed * 1024);
        if !is_low(limit.current) {
            continue;
        }
        let raised = Rlimit { current: Some(needed * 1024), ..limit };
        if is_low(limit.maximum) || setrlimit(resource, raised).is_err() {
            let what = format!("the limit of {name} is too low: {needed} KB are needed");
            return Err(Error::new(Kind::Interrupted, what).hint("raise the limit"));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub fn raise() -> Result<()> {
    Ok(())
}
