//! Whose host is this? The one question that `get`, `store` and `erase` ask first.

use super::credential::Credential;
use crate::profile::Profile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// A host of the profile: its token.
    Token,
    /// The host that an API key is for, where there is one; else as any other.
    ApiKey,
    /// Any other host: what git gave us to keep.
    Foreign,
    /// Nothing is named: a person asks, or a program that knows one login only.
    Default,
    /// Something is named, but no host.
    Nothing,
}

pub fn meant(profile: &Profile, by: &Credential) -> Meant {
    match (&by.protocol, &by.host) {
        (Some(protocol), Some(host)) if profile.serves(protocol, host) => Meant::Token,
        (Some(protocol), Some(host)) if profile.serves_api_key(protocol, host) => Meant::ApiKey,
        (Some(_), Some(_)) => Meant::Foreign,
        _ if by.names_something() => Meant::Nothing,
        _ => Meant::Default,
    }
}
