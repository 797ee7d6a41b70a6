//! What a storage that several hosts share can tell of them.

use crate::verification::Verification;
use serde::{Deserialize, Serialize};

/// A machine, or what counts as one: all that share a state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: String,
    pub name: String,
}

/// When a host did something, seconds since the epoch by its clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostAction {
    #[serde(flatten)]
    pub host: Host,
    pub at: i64,
    /// Of the login, then.
    pub generation: u64,
}

/// What the hosts that share a login can tell of each other.
#[derive(Debug, Default)]
pub struct FleetStatus {
    /// The last renewal or sign-in.
    pub last: Option<HostAction>,
    /// Who renews now.
    pub lock: Option<HostAction>,
    /// Whose refresh request has no known answer.
    pub intent: Option<HostAction>,
    /// All that have renewed in the last weeks, the latest first.
    pub hosts: Vec<HostAction>,
    pub pending: Option<Verification>,
}
