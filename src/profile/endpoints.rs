//! Where a refresh token may be sent: only to the issuer that granted it.

use crate::client::{ClientRegistration, Endpoints};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::values::EndpointUrl;

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
        match (&self.standard, &self.token_endpoint_override) {
            (Some(_), _) if *registration != self.client => Err(other_issuer(registration)),
            (Some(_), _) => Ok(self.client.issuer.clone()),
            (None, Some(url)) => Ok(url.to_string()),
            (None, None) => Ok(endpoint(registration, "/oauth/token")?.into()),
        }
    }

    /// Returns the endpoints of auth.openai.com for a login of `registration`. As in Codex, an override of the token
    /// endpoint alone moves the revocation endpoint to the same server.
    ///
    /// # Errors
    /// `Usage` if no token may be sent to that issuer.
    pub fn codex_endpoints(&self, registration: &ClientRegistration) -> Result<Endpoints> {
        let of_issuer = |path| endpoint(registration, path);
        let token = self.token_endpoint_override.clone();
        let revocation = match (&self.revocation_endpoint_override, &token) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => {
                let mut url = url::Url::parse(url).expect("an endpoint URL");
                url.set_path("/oauth/revoke");
                url.as_str().parse().expect("an endpoint URL with another path")
            }
            (None, None) => of_issuer("/oauth/revoke")?,
        };
        Ok(Endpoints {
            device_authorization: Some(of_issuer("/api/accounts/deviceauth/usercode")?),
            token: Some(token.map_or_else(|| of_issuer("/oauth/token"), Ok)?),
            revocation: Some(revocation),
            ..Endpoints::default()
        })
    }
}

fn endpoint(registration: &ClientRegistration, path: &str) -> Result<EndpointUrl> {
    let issuer = &registration.issuer;
    format!("{}{path}", issuer.trim_end_matches('/')).parse().map_err(|_| {
        Error::new(Kind::Usage, format!("the login names an issuer without https: {issuer}"))
    })
}

fn other_issuer(registration: &ClientRegistration) -> Error {
    let what = format!(
        "the login was granted by {}, which is not the issuer of this profile",
        registration.issuer
    );
    Error::new(Kind::Configuration, what).sign_in_again()
}
