//! Talks to the authorization server.

pub mod codex;
pub mod connectivity;
pub mod device;
pub mod discovery;
pub mod http;
pub mod id_token;
mod network_error;
pub mod response;
pub mod revocation;
pub mod rfc8628;
mod signature;
pub mod standard;
mod tls;
pub mod token;
