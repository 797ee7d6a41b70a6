//! Talks to the authorization server, in one of two dialects.
//!
//! [`codex`] is the dialect of auth.openai.com. [`standard`] follows the RFCs. Both dialects share
//! [`device`] (a device authorization and the pace of polling) and [`token_endpoint`] (what a token request led to).

pub mod codex;
pub mod connectivity;
pub mod device;
pub mod discovery;
pub mod http;
pub mod id_token;
mod network_error;
pub mod response;
mod signature;
pub mod standard;
pub mod token_endpoint;
