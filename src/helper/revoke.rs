//! Ends a login at the server that granted it.

use crate::error::Result;
use crate::login::Login;
use crate::oauth::http::{Http, host};
use crate::oauth::revoke::{TypeHint, revoke as request};
use crate::profile::Profile;

/// Revokes the refresh token, else the access token. Gives back the host that was told.
pub fn revoke(profile: &Profile, login: &Login) -> Result<String> {
    let granted_by = profile.granted_by(login);
    let url = profile.revoke_url(&granted_by)?;
    let http = Http::new(profile.extra_ca.as_deref())?;
    let (token, hint) = match &login.refresh_token {
        Some(token) => (token, TypeHint::RefreshToken),
        None => (&login.access_token, TypeHint::AccessToken),
    };
    request(&http, &url, &granted_by.client_id, token, hint)?;
    Ok(host(&url).to_owned())
}
