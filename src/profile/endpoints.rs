//! Where a refresh token may go: to whoever granted it.

use crate::client::ClientRegistration;
use crate::client::Dialect;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::urls::is_secure;

impl Profile {
    /// Who granted `login`: as recorded with it, else as its access token says, else this profile's issuer.
    pub fn granted_by(&self, login: &Login) -> ClientRegistration {
        if let Some(recorded) = &login.provenance {
            return recorded.clone();
        }
        let claimed = login.access_token.claims().iss.clone();
        let issuer = claimed.unwrap_or_else(|| self.issuer.issuer.clone());
        ClientRegistration { issuer, client_id: self.issuer.client_id.clone() }
    }

    /// Where the refresh token of a login granted by `granted_by` may be sent to renew it; the issuer alone, where the
    /// URL has to be asked for.
    ///
    /// # Errors
    /// `Usage` when the recorded issuer is one that no token may be sent to.
    pub fn refresh_url(&self, granted_by: &ClientRegistration) -> Result<String> {
        match (&self.dialect, &self.refresh_url) {
            (Dialect::Standard(_), _) if *granted_by != self.issuer => {
                Err(other_issuer(granted_by))
            }
            (Dialect::Standard(_), _) => Ok(self.issuer.issuer.clone()),
            (Dialect::OpenAi, Some(url)) => Ok(url.clone()),
            (Dialect::OpenAi, None) => endpoint(granted_by, "/oauth/token"),
        }
    }

    /// Where it may be sent to end it (RFC 7009). As Codex does, beside an overridden refresh URL where only
    /// that one is overridden.
    pub fn revoke_url(&self, granted_by: &ClientRegistration) -> Result<String> {
        match (&self.revoke_url, &self.refresh_url) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(url)) => {
                let mut url = url::Url::parse(url).expect("checked when it was read");
                url.set_path("/oauth/revoke");
                Ok(url.into())
            }
            (None, None) => endpoint(granted_by, "/oauth/revoke"),
        }
    }
}

fn endpoint(granted_by: &ClientRegistration, path: &str) -> Result<String> {
    let issuer = &granted_by.issuer;
    if is_secure(issuer) {
        return Ok(format!("{}{path}", issuer.trim_end_matches('/')));
    }
    Err(Error::new(Kind::Usage, format!("the login names an issuer without https: {issuer}")))
}

fn other_issuer(granted_by: &ClientRegistration) -> Error {
    let what = format!(
        "the login was granted by {}, which is not this profile's issuer",
        granted_by.issuer
    );
    Error::new(Kind::Configuration, what).sign_in_again()
}
