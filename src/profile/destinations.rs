//! Where tokens may be sent: an access token to the hosts of its profile, a refresh token only to the issuer that granted it.

use crate::client::{ClientRegistration, Endpoints};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::profile::built_in::API_HOST;
use crate::urls::{is_loopback, is_secure, without_default_port};
use crate::values::{EndpointUrl, Host};

impl Profile {
    /// Returns whether a token may be sent to `host`: a host of this profile, over https or on loopback. Schemes and hosts
    /// may be in any case (RFC 3986 §6.2.2.1), and the host may have the default port.
    pub fn serves(&self, protocol: &[u8], host: &[u8]) -> bool {
        let host = without_default_port(protocol, host);
        let is_own = |own: &&Host| own.as_bytes().eq_ignore_ascii_case(host);
        let Some(own) = self.settings.hosts.iter().find(is_own) else { return false };
        protocol.eq_ignore_ascii_case(b"https")
            || (protocol.eq_ignore_ascii_case(b"http") && is_loopback(own))
    }

    /// Returns whether an API key may be sent to `host`.
    pub fn serves_api_key(&self, protocol: &[u8], host: &[u8]) -> bool {
        let is_codex = self.standard.is_none();
        let host = without_default_port(protocol, host);
        is_codex
            && protocol.eq_ignore_ascii_case(b"https")
            && host.eq_ignore_ascii_case(API_HOST.as_bytes())
    }

    /// Returns whether a token may be sent to `url`: on a host of this profile, or on loopback.
    pub fn serves_url(&self, url: &str) -> bool {
        let (true, Ok(url)) = (is_secure(url), url::Url::parse(url)) else { return false };
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        is_loopback(host)
            || self.serves(url.scheme().as_bytes(), format!("{host}{port}").as_bytes())
    }

    /// Returns the client registration that `login` was granted to: the recorded one, else the profile's.
    ///
    /// # Errors
    /// `Configuration` if the access token claims another issuer than the profile's, and no token endpoint is configured.
    /// A claim is not verified: it can keep a token from being sent, but never chooses where it is sent.
    pub fn registration_of(&self, login: &Login) -> Result<ClientRegistration> {
        if let Some(recorded) = &login.registration {
            return Ok(recorded.clone());
        }
        let own = self.client.issuer.trim_end_matches('/');
        let claimed = login.access_token.claims().iss.as_deref();
        match claimed.filter(|claimed| claimed.trim_end_matches('/') != own) {
            Some(claimed) if self.settings.token_endpoint.is_none() => Err(other_issuer(claimed)),
            _ => Ok(self.client.clone()),
        }
    }

    /// Returns where to send refresh requests for a login of `registration`: the token endpoint, or the issuer itself
    /// if discovery tells the endpoint.
    ///
    /// # Errors
    /// `Usage` or `Configuration` if no token may be sent to that issuer.
    pub fn token_endpoint(&self, registration: &ClientRegistration) -> Result<String> {
        match (&self.standard, &self.settings.token_endpoint) {
            (Some(_), _) if *registration != self.client => Err(other_issuer(&registration.issuer)),
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
        let token = self.settings.token_endpoint.clone();
        let revocation = match (&self.settings.revocation_endpoint, &token) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => {
                let mut url = url::Url::parse(url).expect("an endpoint URL");
                url.set_path("/oauth/revoke");
                url.as_str().parse().expect("an endpoint URL with another path")
            }
            (None, None) => of_issuer("/oauth/revoke")?,
        };
        Ok(Endpoints {
            authorization_endpoint: Some(of_issuer("/oauth/authorize")?),
            device_authorization_endpoint: Some(of_issuer("/api/accounts/deviceauth/usercode")?),
            token_endpoint: Some(token.map_or_else(|| of_issuer("/oauth/token"), Ok)?),
            revocation_endpoint: Some(revocation),
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

fn other_issuer(issuer: &str) -> Error {
    let what =
        format!("the login was granted by {issuer}, which is not the issuer of this profile");
    Error::new(Kind::Configuration, what).sign_in_again()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ProfileSelection;

    fn profile() -> Profile {
        let variable = |name: &str| match name {
            "CODEX_HOME" => Some("/nowhere".into()),
            "CODEX_CREDENTIAL_CONFIG" => Some("/dev/null".into()),
            _ => None,
        };
        Profile::of(variable, ProfileSelection::default()).unwrap()
    }

    #[test]
    fn http_is_allowed_only_for_loopback_hosts_of_the_profile() {
        let mut profile = profile();
        profile.settings.hosts =
            ["127.0.0.1:81", "a.example"].map(|host| host.parse().unwrap()).into();
        assert!(profile.serves(b"http", b"127.0.0.1:81"));
        assert!(!profile.serves(b"http", b"127.0.0.1:82"));
        assert!(!profile.serves(b"http", b"a.example"));
    }

    #[test]
    fn default_port_and_any_case_name_the_same_host() {
        let mut profile = profile();
        profile.settings.hosts =
            ["a.example", "b.example:8443", "127.0.0.1"].map(|host| host.parse().unwrap()).into();
        let serves =
            |protocol: &str, host: &str| profile.serves(protocol.as_bytes(), host.as_bytes());
        for (protocol, host) in [
            ("https", "a.example:443"),
            ("HTTPS", "A.Example"),
            ("Https", "A.Example:443"),
            ("https", "a.example:"),
            ("https", "b.example:8443"),
            ("http", "127.0.0.1:80"),
            ("HTTP", "127.0.0.1"),
        ] {
            assert!(serves(protocol, host), "{protocol}://{host}");
        }
        for (protocol, host) in [
            ("https", "a.example:80"),
            ("https", "a.example:8443"),
            ("https", "a.example:443:443"),
            ("http", "a.example:443"),
            ("http", "a.example:80"),
            ("https", "b.example"),
            ("https", "b.example:443"),
            ("https", ":443"),
            ("http", "127.0.0.1:443"),
            ("httpss", "a.example"),
            ("ssh", "a.example"),
        ] {
            assert!(!serves(protocol, host), "{protocol}://{host}");
        }
    }

    #[test]
    fn url_is_allowed_by_its_host_or_on_loopback() {
        for url in [
            "https://chatgpt.com",
            "https://ChatGPT.com:443/backend-api/codex",
            "http://127.0.0.1:8080/v1",
            "https://localhost/v1",
            "http://[::1]:1/",
        ] {
            assert!(profile().serves_url(url), "{url}");
        }
        for url in [
            "http://chatgpt.com",
            "https://chatgpt.com:8443",
            "https://chatgpt.com.evil.example",
            "https://ada:pw@chatgpt.com",
            "https://chatgpt.com@evil.example",
            "https://example.org",
            "http://localhost.evil.example",
            "ws://127.0.0.1",
            "chatgpt.com",
            "",
        ] {
            assert!(!profile().serves_url(url), "{url}");
        }
    }
}
