//! Gets new tokens: one renewal of a login and one sign-in at a time, each in a process of its own.

mod approval;
pub mod caller;
pub mod commit;
mod environment;
pub mod failure;
mod invalid_token;
pub mod process;
mod prompt;
pub mod recover;
mod refresh;
pub mod renewal_request;
pub mod renewer;
pub mod revoke;
pub mod run;
pub mod server;
pub mod sign_in;
mod spawn;
mod step;
mod store_answer;
pub mod store_login;
mod validate;
pub mod wait;
