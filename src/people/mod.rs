//! Commands for a person.

pub mod audit;
pub mod configure;
pub mod doctor;
pub mod exec;
pub mod export;
pub mod fleet;
pub mod import;
pub mod login;
pub mod logout;
pub mod profiles;
pub mod relocate;
pub mod renew;
pub mod status;
pub mod trial;
