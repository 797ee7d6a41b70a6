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
mod client;
#[cfg(feature = "etcd")]
mod commit;
#[cfg(feature = "etcd")]
mod encryption;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod inspect;
#[cfg(feature = "etcd")]
pub mod lazy;
#[cfg(feature = "etcd")]
mod lease;
#[cfg(feature = "etcd")]
pub mod local;
#[cfg(feature = "etcd")]
mod lock;
#[cfg(feature = "etcd")]
mod mirror;
pub mod settings;
#[cfg(feature = "etcd")]
mod sign_in_turn;
#[cfg(feature = "etcd")]
mod snapshot;
#[cfg(feature = "etcd")]
mod storage;
