//! Keeps logins, and the files that protect them.

pub mod auth_json;
pub mod codex_config;
pub mod codex_home;
pub mod journal;
pub mod keyring;
pub mod lock;
pub mod place;
pub mod read;
pub mod record;
pub mod replace;
pub mod spot;
pub mod watch;
