//! What only a login that several hosts share needs. The sole implementation is in `fleet/`.

use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::pending_sign_in::PendingSignIn;
use crate::verification::Verification;
use crate::visible::made_visible;
use serde::{Deserialize, Serialize};

/// A storage that several hosts share. The defaults are those of a storage of this machine.
pub trait SharedStorage {
    /// Updates the files on this host with what other hosts have stored. Returns why the stored login cannot be opened, if
    /// so: a sign-in replaces it.
    fn catch_up(&self) -> Result<Option<Error>> {
        Ok(None)
    }

    /// Returns the error that a renewal on this host ends with; `None` where this host may renew.
    fn read_only_error(&self) -> Result<Option<Error>> {
        Ok(None)
    }

    /// Has reads fail soon when the storage does not answer. For a renewal process, whose callers wait longer by themselves.
    fn fail_soon(&self) {}

    /// Whether `error` says that the storage did not answer.
    fn did_not_answer(&self, _error: &Error) -> bool {
        false
    }

    /// Waits until the storage answers.
    ///
    /// # Errors
    /// `Network`, with the cause, when it does not answer until `deadline`.
    fn wait_for_answer(&self, _deadline: &Deadline) -> Result<()> {
        Ok(())
    }

    /// Waits on a host that only reads while another host changes the login, until `deadline`.
    fn wait_for_writer(&self, _deadline: &Deadline) -> Result<()> {
        Ok(())
    }

    /// Waits until no other host signs in, then keeps other hosts from it. Returns `None` when `is_needed` says that
    /// a sign-in is not needed.
    fn lock_sign_in(
        &self,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Box<dyn SignInLock + '_>>> {
        Ok(is_needed()?.then(|| Box::new(()) as Box<dyn SignInLock>))
    }

    /// Shows a pending sign-in on the other hosts: all of it to those that may continue it, and no secret to
    /// those that only read.
    fn publish_pending(&self, _pending: &PendingSignIn) -> Result<()> {
        Ok(())
    }

    /// Cancels the pending sign-in on all hosts.
    fn withdraw_pending(&self) -> Result<()> {
        Ok(())
    }

    /// Checks for `doctor` what only a shared storage depends on. Each result has the name of its check.
    fn checks(&self, _deadline: &Deadline) -> Vec<(&'static str, Result<String>)> {
        Vec::new()
    }

    /// Returns `None` for a storage that is not shared.
    fn status(&self) -> Result<Option<FleetStatus>> {
        Ok(None)
    }
}

impl SharedStorage for () {}

/// Keeps other hosts from signing in until it is dropped.
pub trait SignInLock {}

impl<T> SignInLock for T {}

/// A machine, or a container that has its own state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    #[serde(deserialize_with = "made_visible")]
    pub id: String,
    #[serde(deserialize_with = "made_visible")]
    pub name: String,
}

/// Something that a host did to the shared login.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostAction {
    #[serde(flatten)]
    pub host: Host,
    /// Seconds since the epoch, by the clock of the host.
    pub at: i64,
}

/// What `fleet status` shows.
#[derive(Debug)]
pub struct FleetStatus {
    /// Counts the sign-in and the renewals of the login; 0 when nobody is signed in.
    pub generation: i64,
    /// The last renewal or sign-in.
    pub last: Option<HostAction>,
    /// The host that holds the lock.
    pub lock: Option<HostAction>,
    /// The host whose refresh request has no known answer.
    pub intent: Option<HostAction>,
    pub pending: Option<Verification>,
}
