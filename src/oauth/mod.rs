//! Talks to the authorization server, in one of two dialects.
//!
//! [`server`] sends the requests. [`codex`] has what is special to auth.openai.com, and `standard` what the RFCs say of
//! responses. Both dialects share [`device`] (a device authorization and the pace of polling), [`authorization`] (the request
//! that a browser opens) with its listener [`callback`], and [`token_endpoint`] (what a token request led to).

pub mod authorization;
pub mod callback;
mod certificates;
pub mod chatgpt;
pub mod client_auth;
pub mod codex;
pub mod device;
pub mod discovery;
mod error_code;
mod headers;
pub mod http;
pub mod id_token;
pub mod network_error;
pub mod pkce;
pub mod proxy;
mod resolver;
pub mod response;
pub mod server;
mod signature;
mod standard;
pub mod token_endpoint;
