//! Answers requests without the network: the protocols of git, Bazel and Docker, and the formats of an answer.

mod attribute_line;
pub mod credential;
mod credential_url;
pub mod docker;
pub mod erase;
pub mod formats;
pub mod get;
pub mod other_hosts;
pub mod request;
mod schemes;
pub mod store;
pub mod target;
