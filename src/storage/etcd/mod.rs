//! One login shared by many hosts, on etcd. What lies there is encrypted; see `sealed.rs`.
//!
//! ```text
//! PREFIX/NAME/login     the login, for those who renew it       } with its generation,
//! PREFIX/NAME/access    without its refresh token, for readers  } always changed together
//! PREFIX/NAME/lock      who renews it now; bound to a lease
//! PREFIX/NAME/intent    a refresh request whose answer is not known: its token may be spent
//! PREFIX/NAME/dead      which refresh token was refused for good
//! PREFIX/NAME/sign-in   who asks a person now; bound to a lease
//! PREFIX/NAME/pending   the device login that waits for a person, for those who may take it up
//! PREFIX/NAME/prompt    what a person needs to approve it, for all
//! PREFIX/NAME/hosts/ID  who has renewed it, and when
//! ```
//!
//! On this machine lie the files of its Place, and a copy of the access token.

#[cfg(feature = "etcd")]
mod access;
#[cfg(feature = "etcd")]
mod hold;
#[cfg(feature = "etcd")]
mod inspect;
#[cfg(feature = "etcd")]
mod lease;
#[cfg(feature = "etcd")]
mod local;
#[cfg(feature = "etcd")]
mod lock;
#[cfg(feature = "etcd")]
mod mirror;
#[cfg(feature = "etcd")]
mod opened;
#[cfg(feature = "etcd")]
mod sealed;
pub mod settings;
#[cfg(feature = "etcd")]
mod snapshot;
#[cfg(feature = "etcd")]
mod turn;
#[cfg(feature = "etcd")]
mod wire;

#[cfg(feature = "etcd")]
pub use {local::Local, opened::Etcd};

use crate::error::Prompt;
use serde::{Deserialize, Serialize};

/// A machine, or what counts as one: all that share a state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: String,
    pub name: String,
}

/// When a host did something, seconds since the epoch by its clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deed {
    #[serde(flatten)]
    pub host: Host,
    pub at: i64,
    /// Of the login, then.
    pub generation: u64,
}

/// What the hosts that share a login can tell of each other.
#[derive(Debug, Default)]
pub struct Fleet {
    /// The last renewal or sign-in.
    pub last: Option<Deed>,
    /// Who renews now.
    pub lock: Option<Deed>,
    /// Whose refresh request has no known answer.
    pub intent: Option<Deed>,
    /// All that have renewed in the last weeks, the latest first.
    pub hosts: Vec<Deed>,
    pub pending: Option<Prompt>,
}
