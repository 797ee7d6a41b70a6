//! Revokes a login at the server that granted it (RFC 7009).

use crate::clock::Deadline;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;

/// Revokes `login`. Returns the host that was asked.
pub fn revoke(profile: &Profile, login: &Login, deadline: &Deadline) -> Result<String> {
    AuthorizationServer::within(profile, deadline)?.revoke(login)
}
