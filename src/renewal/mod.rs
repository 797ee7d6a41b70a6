//! Gets new tokens, in one process at a time: a renewal of the stored login, or a sign-in.

pub mod caller;
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
mod spawn;
mod step;
mod validate;
pub mod wait;
