//! The commands that a user runs.

pub mod audit;
mod codex_processes;
pub mod doctor;
pub mod exec;
pub mod export;
pub mod fleet;
pub mod import;
pub mod login;
pub mod logout;
pub mod move_login;
pub mod profile;
pub mod renew;
pub mod session;
pub mod status;
pub mod switch;
