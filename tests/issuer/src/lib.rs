//! A strict authorization server on loopback, over real HTTP.
//!
//! It plays `auth.openai.com` (device login, token, revocation, the page a person approves on) and a model server of
//! one sentence, and it is less forgiving than the real one: everything that is single-use is single-use, everything
//! is counted, and every way a network can fail can be asked for.
//!
//! ```
//! let issuer = issuer::Issuer::start();
//! let tokens = issuer.grant(&issuer::Issuer::accounts()[0], 3600);
//! assert!(issuer.is_live_access_token(&tokens.access_token));
//! ```
//!
//! In reading order: [`Issuer`] is the handle; a request comes in through `server`, is read by `request`, and
//! answered by `device`, `page`, `token`, `revoke`, `responses`, `messages` or, in the dialect of the standards, by
//! `standard` out of the `state` (or, where another server grants the tokens, by what `introspect` hears there);
//! `faults` spoil the answer on
//! its way out; `control` is the handle again, for shells.

mod account;
mod answer;
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
