//! Ends a login at the server that granted it.

use super::issuer::Issuer;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;

/// Gives back the host that was told.
pub fn revoke(profile: &Profile, login: &Login) -> Result<String> {
    Issuer::new(profile)?.revoke(login)
}
