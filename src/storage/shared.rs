//! What only a login that several hosts share needs. The sole implementation is in `fleet/`.

use crate::device_authorization::DeviceAuthorization;
use crate::error::{Error, Result};
use crate::storage::records::InvalidToken;
use crate::verification::Verification;
use serde::{Deserialize, Serialize};

/// A storage that several hosts share.
pub trait SharedStorage {
    /// Updates the files on this host with what other hosts have stored.
    fn catch_up(&self) -> Result<()>;

    /// Returns the error that a renewal on this host ends with; `None` where this host may renew.
    fn read_only_error(&self) -> Result<Option<Error>>;

    /// Waits until no other host signs in, then keeps other hosts from it. Returns `None` when `is_needed` says that
    /// a sign-in is not needed.
    fn lock_sign_in(
        &self,
        is_needed: &dyn Fn() -> Result<bool>,
    ) -> Result<Option<Box<dyn SignInLock + '_>>>;

    /// Shows a pending device authorization on the other hosts: all of it to those that may continue it, and no secret to
    /// those that only read.
    fn publish_pending(&self, pending: &DeviceAuthorization) -> Result<()>;

    /// Cancels the pending device authorization on all hosts.
    fn withdraw_pending(&self) -> Result<()>;

    /// Checks for `doctor` what only a shared storage depends on. Each result has the name of its check.
    fn checks(&self) -> Vec<(&'static str, Result<String>)>;

    fn status(&self) -> Result<FleetStatus>;
}

/// A shared login that this host may change.
pub trait SharedHold {
    /// Returns an error that names the host whose refresh request has no known answer: the host may have spent the
    /// refresh token, and may still store the answer.
    fn unanswered_request(&self) -> Option<Error>;

    /// Records for all hosts that the refresh request brought no tokens. `invalid_token` describes a refresh token
    /// that the server refused for good.
    fn close_request(&self, invalid_token: Option<&InvalidToken>) -> Result<()>;
}

/// Keeps other hosts from signing in until it is dropped.
pub trait SignInLock {}

/// No other host can sign in to a storage that is not shared.
impl SignInLock for () {}

/// See [`SharedStorage::catch_up`].
pub fn catch_up(shared: Option<&dyn SharedStorage>) -> Result<()> {
    shared.map_or(Ok(()), SharedStorage::catch_up)
}

/// See [`SharedStorage::read_only_error`].
pub fn read_only_error(shared: Option<&dyn SharedStorage>) -> Result<Option<Error>> {
    shared.map_or(Ok(None), SharedStorage::read_only_error)
}

/// See [`SharedStorage::lock_sign_in`].
pub fn lock_sign_in<'a>(
    shared: Option<&'a dyn SharedStorage>,
    is_needed: &dyn Fn() -> Result<bool>,
) -> Result<Option<Box<dyn SignInLock + 'a>>> {
    match shared {
        Some(shared) => shared.lock_sign_in(is_needed),
        None => Ok(is_needed()?.then(|| Box::new(()) as Box<dyn SignInLock>)),
    }
}

/// See [`SharedStorage::withdraw_pending`].
pub fn withdraw_pending(shared: Option<&dyn SharedStorage>) -> Result<()> {
    shared.map_or(Ok(()), SharedStorage::withdraw_pending)
}

/// See [`SharedHold::unanswered_request`].
pub fn unanswered_request(shared: Option<&dyn SharedHold>) -> Option<Error> {
    shared.and_then(SharedHold::unanswered_request)
}

/// A machine, or a container that has its own state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: String,
    pub name: String,
}

/// Something that a host did to the shared login.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostAction {
    #[serde(flatten)]
    pub host: Host,
    /// Seconds since the epoch, by the clock of the host.
    pub at: i64,
    /// The generation of the login at that time; each renewal and each sign-in raises it.
    pub generation: u64,
}

/// What `fleet status` shows.
#[derive(Debug)]
pub struct FleetStatus {
    /// The last renewal or sign-in.
    pub last: Option<HostAction>,
    /// The host that holds the lock.
    pub lock: Option<HostAction>,
    /// The host whose refresh request has no known answer.
    pub intent: Option<HostAction>,
    /// The hosts that have renewed in the last weeks, the latest first.
    pub hosts: Vec<HostAction>,
    pub pending: Option<Verification>,
}
