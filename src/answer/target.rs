//! Which login or credential a request names. `get`, `store` and `erase` decide this first.

use crate::answer::credential::Credential;
use crate::profile::Profile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The request names a host of the profile.
    OurHost,
    /// The request names the host of Codex's API key. Without an API key, it is any other host.
    ApiKey,
    /// The request names another host, whose credential git may have stored here.
    OtherHosts,
    /// The request names nothing: it is for the login of the profile.
    Default,
    /// The request names something, but no protocol and host.
    Nothing,
}

impl Target {
    /// Returns which login or credential `request` names.
    pub fn of(profile: &Profile, request: &Credential) -> Self {
        match (&request.protocol, &request.host) {
            (Some(protocol), Some(host)) if profile.serves(protocol, host) => Self::OurHost,
            (Some(protocol), Some(host)) if profile.serves_api_key(protocol, host) => Self::ApiKey,
            (Some(_), Some(_)) => Self::OtherHosts,
            _ if request.names_something() => Self::Nothing,
            _ => Self::Default,
        }
    }
}
