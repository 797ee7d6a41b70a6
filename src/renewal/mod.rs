//! Gets new tokens, one process at a time: a renewal with the refresh token, or a sign-in.

mod environment;
pub mod failure;
mod refresh;
pub mod request;
mod retry;
pub mod revoke;
pub mod run;
pub mod server;
pub mod session;
pub mod sign_in;
mod validate;
pub mod wait;
