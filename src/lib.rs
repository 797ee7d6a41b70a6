//! A credential helper: it gets tokens from an authorization server, keeps them, and hands them to every caller.
//!
//! In reading order: [`answer`] answers requests from stored logins; [`renewal`] gets new tokens; [`commands`] and
//! [`configure`] are what a user runs; [`profile`] decides which issuer, hosts and storage a request uses; [`oauth`]
//! talks to the authorization server; [`storage`] and `fleet` keep logins; [`ui`] writes to the terminal. The
//! remaining modules are shared by all of them.
//!
//! Times are `i64` seconds since the Unix epoch. Failures are [`error::Error`].

pub mod cli;

pub mod answer;
pub mod commands;
pub mod configure;
pub mod read_file;
pub mod renewal;

pub mod account_policy;
pub mod audit;
pub mod profile;

#[cfg(feature = "etcd")]
pub mod fleet;
pub mod network;
pub mod oauth;
pub mod storage;
pub mod ui;

pub mod account;
pub mod client;
pub mod clock;
pub mod command_options;
pub mod error;
pub mod folders;
pub mod hardening;
pub mod lifetime;
pub mod limits;
pub mod login;
pub mod output;
pub mod pending_sign_in;
pub mod private;
pub mod programs;
pub mod quote;
pub mod signals;
pub mod stdin;
pub mod threads;
pub mod tokens;
pub mod trace;
pub mod urls;
pub mod values;
pub mod verification;
pub mod visible;
