//! A strict authorization server on loopback, over real HTTP.
//!
//! It imitates `auth.openai.com` (device authorization, authorization code, token, revocation, the page where the user approves) and a
//! minimal model server. It is stricter than the real one: what may be used once can be used once, everything
//! is counted, and every kind of network failure can be injected.
//!
//! ```
//! let issuer = issuer::Issuer::start();
//! let tokens = issuer.grant(&issuer::Issuer::accounts()[0], 3600);
//! assert!(issuer.is_live_access_token(&tokens.access_token));
//! ```
//!
//! In reading order: [`Issuer`] is the handle. A request arrives in `server`, is parsed by `request`, and is answered
//! from the `state` by `device`, `authorize`, `page`, `token`, `revoke`, `responses`, `messages`, or `standard` for the standard
//! dialect. `introspect` asks another server about access tokens that it granted. `faults` change the answer.
//! `control` gives shells the functions of the handle.

mod account;
mod answer;
mod authorize;
mod body;
mod builder;
mod control;
mod device;
mod faults;
mod introspect;
mod issuer;
mod jwt;
mod keys;
mod log;
mod mcp;
mod messages;
mod page;
mod random;
mod request;
mod responses;
mod revoke;
mod server;
mod settings;
mod standard;
mod state;
mod store;
mod tls;
mod token;

pub use account::Account;
pub use builder::Builder;
pub use faults::{Endpoint, Fault};
pub use introspect::Introspection;
pub use issuer::Issuer;
pub use keys::Signing;
pub use log::{Counts, Entry};
pub use settings::{CLIENT_ID, Interval, Settings, Standard, TokenForm};
pub use store::Tokens;
pub use tls::{Authority, Certificate};
