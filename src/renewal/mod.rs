//! Gets new tokens: one renewal of a login and one sign-in at a time, each in a process of its own.

pub mod caller;
mod environment;
pub mod failure;
mod invalid_token;
pub mod process;
mod refresh;
pub mod request;
pub mod revoke;
pub mod run;
pub mod server;
pub mod session;
pub mod sign_in;
mod spawn;
mod step;
mod store_answer;
pub mod store_login;
mod validate;
pub mod wait;
