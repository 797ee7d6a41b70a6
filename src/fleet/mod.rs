//! One login that several hosts share, in etcd.
//!
//! ```text
//! PREFIX/NAME/login          the whole login, encrypted for writers                   } written in one
//! PREFIX/NAME/access         without its refresh token, encrypted for readers as well } transaction
//! PREFIX/NAME/lock           the host that changes the login; bound to a lease
//! PREFIX/NAME/intent         a refresh request whose answer is not known
//! PREFIX/NAME/invalid-token  the refresh token that the server refused for good
//! PREFIX/NAME/sign-in        the host that runs a sign-in; bound to a lease
//! PREFIX/NAME/pending        the pending sign-in, encrypted for writers
//! PREFIX/NAME/prompt         its URL and user code, encrypted for readers as well
//! ```
//!
//! Each host has a login directory and, if `cache` allows it, a copy of the access token.

mod client;
mod encryption;
mod etcd;
mod hold;
mod lease;
pub mod local;
mod sign_in;
mod snapshot;
pub mod storage;
