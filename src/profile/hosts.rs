//! Where an access token or an API key may go.

use crate::client::Dialect;
use crate::profile::{API_HOST, Profile};
use crate::urls::{is_loopback, is_secure};

impl Profile {
    /// Whether a token may go to `host` by `protocol`: only to a host of this profile, and only by https
    /// where that host is not this machine.
    pub fn serves(&self, protocol: &[u8], host: &[u8]) -> bool {
        let is_ours = |own: &&String| own.as_bytes().eq_ignore_ascii_case(host);
        match protocol {
            b"https" => self.hosts.iter().any(|own| is_ours(&own)),
            b"http" => self.hosts.iter().find(is_ours).is_some_and(|own| is_loopback(own)),
            _ => false,
        }
    }

    /// Whether an API key may go there.
    pub fn serves_api_key(&self, protocol: &[u8], host: &[u8]) -> bool {
        let is_codex = matches!(self.dialect, Dialect::OpenAi);
        is_codex && protocol == b"https" && host.eq_ignore_ascii_case(API_HOST.as_bytes())
    }

    /// Whether a token may go to `url`: to a host of this profile, or to a program on this machine.
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
    fn a_token_goes_to_the_profiles_host_over_https_alone() {
        assert!(profile().serves(b"https", b"chatgpt.com"));
        assert!(profile().serves(b"https", b"ChatGPT.com"));
        for (protocol, host) in [
            ("http", "chatgpt.com"),
            ("https", "chatgpt.com."),
            ("https", "chatgpt.com:8443"),
            ("https", "www.chatgpt.com"),
            ("https", "chatgpt.com.evil.example"),
            ("https", "evilchatgpt.com"),
            ("https", "chatgpt.com@evil.example"),
            ("https", "xn--chatgpt-.com"),
            ("https", ""),
            ("HTTPS", "chatgpt.com"),
            ("ftp", "chatgpt.com"),
            ("http", "127.0.0.1"),
        ] {
            assert!(!profile().serves(protocol.as_bytes(), host.as_bytes()), "{protocol} {host}");
        }
    }

    #[test]
    fn http_is_for_loopback_hosts_that_the_profile_names() {
        let profile =
            Profile { hosts: vec!["127.0.0.1:81".into(), "a.example".into()], ..profile() };
        assert!(profile.serves(b"http", b"127.0.0.1:81"));
        assert!(!profile.serves(b"http", b"127.0.0.1:82"));
        assert!(!profile.serves(b"http", b"a.example"));
    }

    #[test]
    fn a_url_is_served_by_its_host_or_on_this_machine() {
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
