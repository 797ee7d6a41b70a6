//! Which issuer, client, hosts and storage a request means. There is one profile so far: `codex`.

use crate::account::Claims;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::login::{Login, Provenance};
use crate::storage::codex_home::CodexHome;
use crate::storage::place::Place;
use crate::storage::private::{Medium, Private};
use crate::storage::{Kept, Storage};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

const ISSUER: &str = "https://auth.openai.com";
const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
const HOST: &str = "chatgpt.com";
const API_HOST: &str = "api.openai.com";

#[derive(Clone, Debug)]
pub struct Profile {
    /// Where a device login is started.
    pub issuer: Provenance,
    /// The hosts that its access tokens are for.
    hosts: Vec<String>,
    pub storage: Rc<dyn Storage>,
    /// Whose login is meant, where that is said.
    pub account: Option<String>,
    pub kept: Kept,
    opener: Opener,
    /// Codex's own login, where that is the storage: its rules are obeyed, and its API key is known.
    pub codex: Option<Rc<CodexHome>>,
    refresh_url: Option<String>,
    revoke_url: Option<String>,
    /// PEM certificates to trust beside the platform's.
    pub extra_ca: Option<PathBuf>,
}

impl Profile {
    /// The built-in profile, with what the environment changes, for the login of `account` where one is named.
    /// `patience` is for the keyring.
    ///
    /// # Errors
    /// `Usage` when a variable names what cannot be used.
    pub fn codex(
        variable: impl Fn(&str) -> Option<OsString>,
        patience: Duration,
        account: Option<String>,
    ) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| match variable(name).map(OsString::into_string) {
            Some(Err(_)) => Err(Error::new(Kind::Usage, format!("{name} is not valid UTF-8"))),
            Some(Ok(text)) => Ok(Some(text)),
            None => Ok(None),
        };
        let url = |name: &str| match text(name)? {
            Some(url) if is_private(&url) => Ok(Some(url)),
            Some(_) => Err(Error::new(
                Kind::Usage,
                format!("{name} must be an https URL, or http on a loopback address"),
            )),
            None => Ok(None),
        };
        let issuer = url("CODEX_CREDENTIAL_ISSUER")?;
        if issuer.as_deref().is_some_and(|issuer| issuer.contains('?')) {
            return Err(Error::new(Kind::Usage, "CODEX_CREDENTIAL_ISSUER must have no query"));
        }
        let issuer = issuer.as_deref().map_or(ISSUER, |url| url.trim_end_matches('/')).to_owned();
        let client_id = text("CODEX_CREDENTIAL_CLIENT_ID")?.unwrap_or_else(|| CLIENT_ID.into());
        let codex_home = codex_home(variable("CODEX_HOME"))?;
        let named = text("CODEX_CREDENTIAL_STORAGE")?;
        let kept = named.map_or(Ok(Kept::Codex), |name| name.parse())?;
        let issuer = Provenance { issuer, client_id };
        let opener = Opener { codex_home, patience, cache: true };
        let (storage, codex) = opener.open(kept, &issuer, account.clone())?;
        Ok(Self {
            issuer,
            hosts: vec![HOST.into()],
            storage,
            account,
            kept,
            codex,
            opener,
            refresh_url: url("CODEX_REFRESH_TOKEN_URL_OVERRIDE")?,
            revoke_url: url("CODEX_REVOKE_TOKEN_URL_OVERRIDE")?,
            extra_ca: variable("CODEX_CA_CERTIFICATE").map(PathBuf::from),
        })
    }

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
        protocol == b"https" && host.eq_ignore_ascii_case(API_HOST.as_bytes())
    }

    /// Whether a token may go to `url`: to a host of this profile, or to a program on this machine.
    pub fn serves_url(&self, url: &str) -> bool {
        let (true, Ok(url)) = (is_private(url), url::Url::parse(url)) else { return false };
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        is_loopback(host)
            || self.serves(url.scheme().as_bytes(), format!("{host}{port}").as_bytes())
    }

    /// The hosts that its access tokens are for.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Absolute, so that every process means the same folder.
    pub fn codex_home(&self) -> &Path {
        &self.opener.codex_home
    }

    /// The same login in another storage.
    pub fn kept_in(&self, kept: Kept) -> Result<Self> {
        let (storage, codex) = self.opener.open(kept, &self.issuer, self.account.clone())?;
        Ok(Self { storage, kept, codex, ..self.clone() })
    }

    /// The login that is called `username`, where several are kept and one is called so.
    pub fn of_user(self, username: &str) -> Result<Self> {
        if self.account.is_some() {
            return Ok(self);
        }
        Ok(match self.storage.of_account(username)? {
            Some(storage) => Self { storage, account: Some(username.to_owned()), ..self },
            None => self,
        })
    }

    /// Whether `login` is of the account that was named, where one was.
    pub fn means(&self, login: &Login) -> bool {
        self.account.as_ref().is_none_or(|name| login.account().is_called(name))
    }

    /// The folders in which it is seen that the login, or what is known of it, has changed.
    pub fn watched(&self, place: &Place) -> Vec<PathBuf> {
        let mut folders = self.storage.watched();
        folders.push(place.dir().to_owned());
        folders
    }

    /// Who granted `login`: as recorded with it, else as its access token says, else this profile's issuer.
    pub fn granted_by(&self, login: &Login) -> Provenance {
        if let Some(recorded) = &login.provenance {
            return recorded.clone();
        }
        let claimed = Claims::of(login.access_token.expose()).and_then(|claims| claims.iss);
        let issuer = claimed.unwrap_or_else(|| self.issuer.issuer.clone());
        Provenance { issuer, client_id: self.issuer.client_id.clone() }
    }

    /// Where the refresh token of a login granted by `granted_by` may be sent to renew it.
    ///
    /// # Errors
    /// `Usage` when the recorded issuer is one that no token may be sent to.
    pub fn refresh_url(&self, granted_by: &Provenance) -> Result<String> {
        match &self.refresh_url {
            Some(url) => Ok(url.clone()),
            None => endpoint(granted_by, "/oauth/token"),
        }
    }

    /// Where it may be sent to end it (RFC 7009). As Codex does, beside an overridden refresh URL where only
    /// that one is overridden.
    pub fn revoke_url(&self, granted_by: &Provenance) -> Result<String> {
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

/// What it takes to open a storage.
#[derive(Clone, Debug)]
struct Opener {
    codex_home: PathBuf,
    /// For the keyring.
    patience: Duration,
    /// Whether a copy of the access token may lie in memory.
    cache: bool,
}

impl Opener {
    #[expect(clippy::type_complexity, reason = "taken apart at once")]
    fn open(
        &self,
        kept: Kept,
        by: &Provenance,
        account: Option<String>,
    ) -> Result<(Rc<dyn Storage>, Option<Rc<CodexHome>>)> {
        let medium = match kept {
            Kept::Codex => {
                let home = Rc::new(CodexHome::new(self.codex_home.clone(), self.patience));
                return Ok((home.clone(), Some(home)));
            }
            Kept::File => Medium::File,
            Kept::Keyring => Medium::Keyring { cache: self.cache, patience: self.patience },
            Kept::Memory => Medium::Memory,
        };
        let folders = Folders::of_this_person()?;
        let private = Private::new(medium, &folders, &[&by.issuer, &by.client_id], account)?;
        Ok((Rc::new(private), None))
    }
}

fn endpoint(granted_by: &Provenance, path: &str) -> Result<String> {
    let issuer = &granted_by.issuer;
    if is_private(issuer) {
        return Ok(format!("{}{path}", issuer.trim_end_matches('/')));
    }
    Err(Error::new(Kind::Usage, format!("the login names an issuer without https: {issuer}")))
}

/// `$CODEX_HOME`, else `~/.codex`.
fn codex_home(variable: Option<OsString>) -> Result<PathBuf> {
    let path = match variable {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).map_or_else(
            || Err(Error::new(Kind::Usage, "there is no home folder").hint("set CODEX_HOME")),
            |home| Ok(home.join(".codex")),
        )?,
    };
    std::path::absolute(&path).map_err(|error| Error::io("find", &path, &error))
}

/// Whether what is sent to `url`, which names no user, stays between this machine and the server it names.
fn is_private(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// `host` may carry a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile::codex(
            |name| (name == "CODEX_HOME").then(|| "/nowhere".into()),
            Duration::ZERO,
            None,
        )
        .unwrap()
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

    #[test]
    fn only_private_urls_may_be_sent_a_token() {
        for url in
            ["https://a.example", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"]
        {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://a.example",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
            "https://a:b@a.example",
            "https://a.example#b",
            "x",
            "",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
