//! Ends a login at the server that granted it.

use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;

/// Gives back the host that was told.
pub fn revoke(profile: &Profile, login: &Login) -> Result<String> {
    AuthorizationServer::new(profile)?.revoke(login)
}
