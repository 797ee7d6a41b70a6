//! Which hosts an access token or an API key may be sent to.

use crate::profile::Profile;
use crate::profile::built_in::API_HOST;
use crate::urls::{is_loopback, is_secure};
use crate::values::Host;

impl Profile {
    /// Returns whether a token may be sent to `host`: a host of this profile, over https or on loopback.
    pub fn serves(&self, protocol: &[u8], host: &[u8]) -> bool {
        let is_own = |own: &&Host| own.as_bytes().eq_ignore_ascii_case(host);
        match protocol {
            b"https" => self.settings.hosts.iter().any(|own| is_own(&own)),
            b"http" => self.settings.hosts.iter().find(is_own).is_some_and(|own| is_loopback(own)),
            _ => false,
        }
    }

    /// Returns whether an API key may be sent to `host`.
    pub fn serves_api_key(&self, protocol: &[u8], host: &[u8]) -> bool {
        let is_codex = self.standard.is_none();
        is_codex && protocol == b"https" && host.eq_ignore_ascii_case(API_HOST.as_bytes())
    }

    /// Returns whether a token may be sent to `url`: on a host of this profile, or on loopback.
    pub fn serves_url(&self, url: &str) -> bool {
        let (true, Ok(url)) = (is_secure(url), url::Url::parse(url)) else { return false };
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        is_loopback(host)
            || self.serves(url.scheme().as_bytes(), format!("{host}{port}").as_bytes())
    }
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
