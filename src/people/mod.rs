//! Commands for a person.

pub mod erase;
pub mod login;
