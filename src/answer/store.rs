//! `store`: takes a credential of another host, or a login of a host of the profile.

use crate::answer::credential::Credential;
use crate::answer::other_hosts::OtherHosts;
use crate::answer::target::Target;
use crate::clock::Deadline;
use crate::error::Result;
use crate::profile::Profile;
use crate::tokens::{Fingerprint, Secret, is_valid_token};
use crate::trace::{self, Event};

/// Stores a credential of another host. For a host of the profile, returns the refresh token in `request`, for
/// [`store_login`](crate::renewal::store_login::store_login), if its access token is not the stored one.
///
/// git calls `store` with each token that worked, and with what a repository's URL names. An access token alone is
/// ignored: it cannot be renewed, and its claims are not verified.
pub fn store(
    profile: &Profile,
    other_hosts: &OtherHosts,
    request: &Credential,
    deadline: &Deadline,
) -> Result<Option<Secret<String>>> {
    match Target::of(profile, request) {
        Target::OurHost => {}
        Target::ApiKey | Target::OtherHosts => {
            return other_hosts.store(request, deadline).map(|()| None);
        }
        Target::Default | Target::Nothing => return Ok(None),
    }
    let Some(secret) = request.secret() else { return Ok(None) };
    let stored = profile.storage.load()?;
    if stored.as_ref().is_some_and(|login| login.has_token(&Fingerprint::of(secret))) {
        return Ok(None);
    }
    let offered =
        request.oauth_refresh_token.as_ref().and_then(|token| parse_token(token.expose()));
    let why = match (&stored, &offered) {
        (_, None) => "it has no refresh token",
        (None, _) => "nobody is signed in",
        (Some(_), Some(_)) => return Ok(offered),
    };
    trace::tell(|| Event::StoreIgnored { why });
    Ok(None)
}

fn parse_token(bytes: &[u8]) -> Option<Secret<String>> {
    let token = std::str::from_utf8(bytes).ok()?;
    is_valid_token(token).then(|| Secret::from(token))
}
