//! Remembers a refresh token that was refused for good, so that it is never sent again.

use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::HeldLogin;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::InvalidToken;
use crate::tokens::Secret;

impl InvalidToken {
    /// Records that `refresh_token` of `login` was refused for good. No host sends it again.
    pub fn record(
        profile: &Profile,
        login_dir: &LoginDir,
        hold: &dyn HeldLogin,
        login: &Login,
        refresh_token: &Secret<String>,
        reason: String,
    ) -> Result<Self> {
        let client = profile.registration_of(login);
        let url = profile.token_endpoint(&client)?;
        let refresh_token = refresh_token.fingerprint();
        let invalid = Self { refresh_token, url, client_id: client.client_id, reason };
        login_dir.invalid_token().save(&invalid)?;
        hold.close_request(Some(&invalid))?;
        Ok(invalid)
    }

    pub fn error(&self) -> Error {
        Error::new(Kind::LoginDead, self.reason.clone()).sign_in_again()
    }

    /// Returns the record, if it is about the refresh token of `login` and the server that would get the token.
    pub fn of(profile: &Profile, login: &Login) -> Result<Option<Self>> {
        let Some(refresh_token) = &login.refresh_token else { return Ok(None) };
        let client = profile.registration_of(login);
        let url = profile.token_endpoint(&client)?;
        let Some(login_dir) = profile.storage.login_dir()? else { return Ok(None) };
        let invalid = login_dir.invalid_token().load()?;
        Ok(invalid.filter(|invalid| {
            invalid.refresh_token == refresh_token.fingerprint()
                && invalid.url == url
                && invalid.client_id == client.client_id
        }))
    }
}
