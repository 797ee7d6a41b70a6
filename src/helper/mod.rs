//! Answers requests; the only code that decides.

mod admit;
pub mod answer;
pub mod audit;
pub mod credential;
mod environment;
pub mod erase;
pub mod failure;
pub mod foreign;
pub mod get;
mod insist;
pub mod issuer;
pub mod join;
pub mod meant;
mod refresh;
pub mod renew;
pub mod revoke;
pub mod rules;
pub mod sign_in;
pub mod store;
mod url;
