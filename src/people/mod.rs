//! Commands for a person.

pub mod exec;
pub mod keepalive;
pub mod login;
pub mod logout;
pub mod status;
