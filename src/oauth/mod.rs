//! Talks to the authorization server.

pub mod codex;
pub mod device;
pub mod discovery;
pub mod http;
pub mod id_token;
pub mod reply;
pub mod revoke;
pub mod rfc8628;
pub mod route;
mod signature;
pub mod standard;
mod tls;
pub mod token;
mod unanswered;
