//! Whose host is this? The one question that `get`, `store` and `erase` ask first.

use crate::answer::credential::Credential;
use crate::profile::Profile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A host of the profile: its token.
    Token,
    /// The host that an API key is for, where there is one; else as any other.
    ApiKey,
    /// Any other host: what git gave us to keep.
    OtherHosts,
    /// Nothing is named: a person asks, or a program that knows one login only.
    Default,
    /// Something is named, but no host.
    Nothing,
}

impl Target {
    /// Returns which login or credential `request` names.
    pub fn of(profile: &Profile, request: &Credential) -> Self {
        match (&request.protocol, &request.host) {
            (Some(protocol), Some(host)) if profile.serves(protocol, host) => Self::Token,
            (Some(protocol), Some(host)) if profile.serves_api_key(protocol, host) => Self::ApiKey,
            (Some(_), Some(_)) => Self::OtherHosts,
            _ if request.names_something() => Self::Nothing,
            _ => Self::Default,
        }
    }
}
