//! Talks to the authorization server.

pub mod codex;
pub mod device;
pub mod http;
pub mod reply;
pub mod revoke;
pub mod token;
