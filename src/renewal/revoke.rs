//! Revokes a login at the server that granted it (RFC 7009).

use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;

/// Revokes `login`. Returns the host that was asked.
pub fn revoke(profile: &Profile, login: &Login) -> Result<String> {
    AuthorizationServer::new(profile)?.revoke(login)
}
