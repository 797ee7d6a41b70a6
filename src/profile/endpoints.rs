//! Where a refresh token may be sent: only to the issuer that granted it.

use crate::client::{ClientRegistration, Dialect};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::urls::is_secure;

impl Profile {
    /// Returns the client registration that `login` was granted to: the recorded one, else the issuer that its access
    /// token claims, else the profile's.
    pub fn registration_of(&self, login: &Login) -> ClientRegistration {
        if let Some(recorded) = &login.registration {
            return recorded.clone();
        }
        let claimed = login.access_token.claims().iss.clone();
        let issuer = claimed.unwrap_or_else(|| self.client.issuer.clone());
        ClientRegistration { issuer, client_id: self.client.client_id.clone() }
    }

    /// Returns where to send refresh requests for a login of `registration`: the token endpoint, or the issuer itself
    /// if discovery tells the endpoint.
    ///
    /// # Errors
    /// `Usage` or `Configuration` if no token may be sent to that issuer.
    pub fn token_endpoint(&self, registration: &ClientRegistration) -> Result<String> {
        match (&self.dialect, &self.token_endpoint_override) {
            (Dialect::Standard(_), _) if *registration != self.client => {
                Err(other_issuer(registration))
            }
            (Dialect::Standard(_), _) => Ok(self.client.issuer.clone()),
            (Dialect::OpenAi, Some(url)) => Ok(url.to_string()),
            (Dialect::OpenAi, None) => endpoint(registration, "/oauth/token"),
        }
    }

    /// Returns OpenAI's revocation endpoint for a login of `registration`. As in Codex, an override of the token
    /// endpoint alone moves the revocation endpoint to the same server.
    pub fn revocation_endpoint(&self, registration: &ClientRegistration) -> Result<String> {
        match (&self.revocation_endpoint_override, &self.token_endpoint_override) {
            (Some(url), _) => Ok(url.to_string()),
            (None, Some(url)) => {
                let mut url = url::Url::parse(url).expect("an endpoint URL");
                url.set_path("/oauth/revoke");
                Ok(url.into())
            }
            (None, None) => endpoint(registration, "/oauth/revoke"),
        }
    }
}

fn endpoint(registration: &ClientRegistration, path: &str) -> Result<String> {
    let issuer = &registration.issuer;
    if is_secure(issuer) {
        return Ok(format!("{}{path}", issuer.trim_end_matches('/')));
    }
    Err(Error::new(Kind::Usage, format!("the login names an issuer without https: {issuer}")))
}

fn other_issuer(registration: &ClientRegistration) -> Error {
    let what = format!(
        "the login was granted by {}, which is not the issuer of this profile",
        registration.issuer
    );
    Error::new(Kind::Configuration, what).sign_in_again()
}
