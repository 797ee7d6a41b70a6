//! A credential **helper** gets tokens by **oauth** and keeps them in **storage**.
//!
//! In reading order: [`helper`] answers requests and is the only code that decides; [`people`] is what a
//! person runs by hand; [`oauth`] talks to the authorization server; [`storage`] keeps logins;
//! [`profile`] says which issuer, hosts and storage a request means; [`account`] reads who a token is for;
//! [`ui`] is how the program speaks. [`tokens`], [`clock`] and [`error`] are the words they share.
//!
//! A moment is an `i64` of seconds since the Unix epoch, a span one of seconds, or a `Duration`. What fails, fails with
//! [`error::Error`], whose kinds are documented there.

pub mod cli;

pub mod answer;
pub mod commands;
pub mod configure;
pub mod renewal;

pub mod audit;
pub mod policy;
pub mod profile;

pub mod fleet;
pub mod oauth;
pub mod storage;
pub mod ui;

pub mod account;
pub mod client;
pub mod clock;
pub mod error;
pub mod folders;
pub mod hardening;
pub mod lenient;
pub mod login;
pub mod programs;
pub mod stdin;
pub mod tokens;
pub mod trace;
pub mod urls;
pub mod values;
pub mod verification;
