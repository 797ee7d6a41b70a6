//! What a request gets: the git-credential protocol and the other forms of an answer. Needs no network.

pub mod credential;
mod credential_url;
pub mod docker;
pub mod erase;
pub mod formats;
pub mod get;
pub mod other_hosts;
pub mod request;
pub mod store;
pub mod target;
