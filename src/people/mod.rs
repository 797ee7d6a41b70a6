//! Commands for a person.

pub mod keepalive;
pub mod login;
pub mod logout;
pub mod status;
