//! Which issuer, client, hosts and storage a request means: the built-in profile `codex`, or one of `config.toml`.

pub mod config;
pub mod etcd;
pub mod table;

use crate::account::Claims;
use crate::address::{is_loopback, is_private};
use crate::client::{Dialect, Standard};
use crate::error::{Error, Kind, Result};
use crate::folders::{self, Folders};
use crate::login::{Login, Provenance};
use crate::storage::audit::Extent;
use crate::storage::bucket::GitStorage;
use crate::storage::codex_home::CodexHome;
use crate::storage::etcd::settings::Settings;
#[cfg(feature = "etcd")]
use crate::storage::etcd::{Etcd, Local};
use crate::storage::keyring::Patience;
use crate::storage::place::Place;
use crate::storage::private::{Medium, Private};
use crate::storage::{Kept, Opened};
use crate::ui::Interactive;
use config::Config;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use table::{Pin, Table};

/// The built-in profile.
pub const BUILT_IN: &str = "codex";
pub const ISSUER: &str = "https://auth.openai.com";
const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
pub const HOST: &str = "chatgpt.com";
const API_HOST: &str = "api.openai.com";
const BUILT_IN_HOSTS: [&str; 2] = [HOST, API_HOST];

#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    /// The configuration file, where there is one.
    pub config: Option<PathBuf>,
    /// Where a device login is started.
    pub issuer: Provenance,
    pub dialect: Dialect,
    /// The hosts that its access tokens are for.
    pub hosts: Vec<String>,
    /// Where git's credentials for hosts that are no profile's are kept.
    pub git: GitStorage,
    /// What is written down of what is done.
    pub audit: Extent,
    pub storage: Opened,
    /// Whose login is meant, where that is said.
    pub account: Option<String>,
    /// Which account it has to be, by the configuration.
    pub pin: Pin,
    pub interactive: Option<Interactive>,
    pub kept: Kept,
    opener: Opener,
    refresh_url: Option<String>,
    revoke_url: Option<String>,
    /// PEM certificates to trust beside the platform's.
    pub extra_ca: Option<PathBuf>,
}

/// What is said of the profile on the command line and by the request.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub profile: Option<String>,
    pub config: Option<PathBuf>,
    pub account: Option<String>,
    /// The host of the request.
    pub host: Option<Vec<u8>>,
    /// For the keyring.
    pub patience: Patience,
}

/// What the environment says.
struct Environment<F>(F);

impl<F: Fn(&str) -> Option<OsString>> Environment<F> {
    fn raw(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.raw(name).map(OsString::into_string) {
            Some(Err(_)) => Err(Error::new(Kind::Usage, format!("{name} is not valid UTF-8"))),
            Some(Ok(text)) => Ok(Some(text)),
            None => Ok(None),
        }
    }

    fn url(&self, name: &str) -> Result<Option<String>> {
        match self.text(name)? {
            Some(url) if !is_private(&url) => Err(Error::new(
                Kind::Usage,
                format!("{name} must be an https URL, or http on a loopback address"),
            )),
            url => Ok(url),
        }
    }
}

/// Where `config.toml` is: where it is said, else in its usual place, and whether it was said.
pub fn config_path(
    variable: impl Fn(&str) -> Option<OsString>,
    named: Option<PathBuf>,
) -> (Option<PathBuf>, bool) {
    let variable = Environment(variable);
    let named = named.or_else(|| variable.raw("CODEX_CREDENTIAL_CONFIG").map(PathBuf::from));
    if named.is_some() {
        return (named, true);
    }
    // To look up a home folder that no variable names takes a socket.
    let has_home = ["HOME", "XDG_CONFIG_HOME"].iter().any(|name| variable.raw(name).is_some());
    if !has_home && !cfg!(windows) {
        return (None, false);
    }
    (folders::config().ok().map(|folder| folder.join("config.toml")), false)
}

/// # Errors
/// `Configuration` when it cannot be understood.
pub fn config(
    variable: impl Fn(&str) -> Option<OsString>,
    named: Option<PathBuf>,
) -> Result<Config> {
    match config_path(variable, named) {
        (Some(path), is_named) => Config::load(&path, is_named),
        (None, _) => Ok(Config::default()),
    }
}

impl Profile {
    /// The profile that is named, else the one whose host is asked for, else the default one.
    ///
    /// # Errors
    /// `Configuration` for a file that cannot be understood, `Usage` when a variable or an option names what is not
    /// there.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>, asked: Asked) -> Result<Self> {
        let config = config(&variable, asked.config.clone())?;
        let variable = Environment(variable);
        let named = match &asked.profile {
            Some(name) => Some(name.clone()),
            None => variable.text("CODEX_CREDENTIAL_PROFILE")?,
        };
        let owner = asked.host.as_deref().and_then(|host| config.owner(host));
        let name = named.as_deref().or(owner).unwrap_or(config.default_name()).to_owned();
        let table = config.find(&name)?.cloned().unwrap_or_default();
        let git = match variable.text("CODEX_CREDENTIAL_GIT_STORAGE")? {
            Some(name) => name.parse()?,
            None => config.git,
        };
        let audit = config.audit;
        let profile = if name == BUILT_IN {
            Self::built_in(&variable, table, config.path, asked)
        } else {
            Self::standard(&variable, name, table, config.path, asked)
        }?;
        Ok(Self { git, audit, ..profile })
    }

    fn built_in<F: Fn(&str) -> Option<OsString>>(
        variable: &Environment<F>,
        table: Table,
        config: Option<PathBuf>,
        asked: Asked,
    ) -> Result<Self> {
        let issuer = variable.url("CODEX_CREDENTIAL_ISSUER")?;
        if issuer.as_deref().is_some_and(|issuer| issuer.contains('?')) {
            return Err(Error::new(Kind::Usage, "CODEX_CREDENTIAL_ISSUER must have no query"));
        }
        let issuer = issuer.as_deref().map_or(ISSUER, |url| url.trim_end_matches('/')).to_owned();
        let client_id =
            variable.text("CODEX_CREDENTIAL_CLIENT_ID")?.unwrap_or_else(|| CLIENT_ID.into());
        let kept = match variable.text("CODEX_CREDENTIAL_STORAGE")? {
            Some(name) => name.parse()?,
            None => table.storage.unwrap_or(Kept::Codex),
        };
        let profile = Self::open(
            variable,
            BUILT_IN.into(),
            Provenance { issuer, client_id },
            Dialect::OpenAi,
            kept,
            table,
            config,
            asked,
        )?;
        Ok(Self {
            hosts: vec![HOST.into()],
            refresh_url: variable.url("CODEX_REFRESH_TOKEN_URL_OVERRIDE")?,
            revoke_url: variable.url("CODEX_REVOKE_TOKEN_URL_OVERRIDE")?,
            ..profile
        })
    }

    fn standard<F: Fn(&str) -> Option<OsString>>(
        variable: &Environment<F>,
        name: String,
        table: Table,
        config: Option<PathBuf>,
        asked: Asked,
    ) -> Result<Self> {
        let issuer =
            Provenance { issuer: table.issuer.clone(), client_id: table.client_id.clone() };
        let dialect = Dialect::Standard(Rc::new(table.standard.clone()));
        let kept = table.storage.unwrap_or(Kept::File);
        Self::open(variable, name, issuer, dialect, kept, table, config, asked)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a profile, put together once")]
    fn open<F: Fn(&str) -> Option<OsString>>(
        variable: &Environment<F>,
        name: String,
        issuer: Provenance,
        dialect: Dialect,
        kept: Kept,
        table: Table,
        config: Option<PathBuf>,
        asked: Asked,
    ) -> Result<Self> {
        let codex_home = codex_home(variable.raw("CODEX_HOME"))?;
        let cache = table.cache.unwrap_or(true);
        let opener = Opener { codex_home, patience: asked.patience, cache, etcd: table.etcd };
        let account = asked.account.or_else(|| table.pin.account.clone());
        let storage = opener.open(kept, &issuer, &dialect, account.clone())?;
        Ok(Self {
            name,
            config,
            issuer,
            dialect,
            hosts: table.hosts,
            git: GitStorage::default(),
            audit: Extent::default(),
            storage,
            account,
            pin: table.pin,
            interactive: table.interactive,
            kept,
            opener,
            refresh_url: None,
            revoke_url: None,
            extra_ca: variable.raw("CODEX_CA_CERTIFICATE").map(PathBuf::from),
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
        let is_codex = matches!(self.dialect, Dialect::OpenAi);
        is_codex && protocol == b"https" && host.eq_ignore_ascii_case(API_HOST.as_bytes())
    }

    /// Whether a token may go to `url`: to a host of this profile, or to a program on this machine.
    pub fn serves_url(&self, url: &str) -> bool {
        let (true, Ok(url)) = (is_private(url), url::Url::parse(url)) else { return false };
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        is_loopback(host)
            || self.serves(url.scheme().as_bytes(), format!("{host}{port}").as_bytes())
    }

    /// Absolute, so that every process means the same folder.
    pub fn codex_home(&self) -> &Path {
        &self.opener.codex_home
    }

    /// The same login in another storage.
    pub fn kept_in(&self, kept: Kept) -> Result<Self> {
        let account = self.account.clone();
        let storage = self.opener.open(kept, &self.issuer, &self.dialect, account)?;
        Ok(Self { storage, kept, ..self.clone() })
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

    /// What this profile has its issuer asked for, where that goes by the standards.
    pub fn as_standard(&self) -> Option<&Standard> {
        match &self.dialect {
            Dialect::OpenAi => None,
            Dialect::Standard(standard) => Some(standard),
        }
    }

    /// Where the refresh token of a login granted by `granted_by` may be sent to renew it; the issuer alone, where the
    /// URL has to be asked for.
    ///
    /// # Errors
    /// `Usage` when the recorded issuer is one that no token may be sent to.
    pub fn refresh_url(&self, granted_by: &Provenance) -> Result<String> {
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
    patience: Patience,
    /// Whether a copy of the access token may lie in memory.
    cache: bool,
    etcd: Option<Settings>,
}

impl Opener {
    fn open(
        &self,
        kept: Kept,
        by: &Provenance,
        dialect: &Dialect,
        account: Option<String>,
    ) -> Result<Opened> {
        let medium = match kept {
            Kept::Codex if matches!(dialect, Dialect::Standard(_)) => return Err(not_codexs()),
            Kept::Codex => {
                let home = CodexHome::new(self.codex_home.clone(), self.patience);
                return Ok(Opened::Codex(Rc::new(home)));
            }
            Kept::File => Medium::File,
            Kept::Keyring => Medium::Keyring { cache: self.cache, patience: self.patience },
            Kept::Memory | Kept::Etcd => Medium::Memory,
        };
        let folders = Folders::of_this_person()?;
        let mut granted_by = vec![by.issuer.as_str(), by.client_id.as_str()];
        if let Dialect::Standard(standard) = dialect {
            granted_by.extend(standard.asks_for());
        }
        if kept == Kept::Etcd {
            let settings = self.etcd.as_ref().ok_or_else(no_etcd)?;
            return etcd(settings, &folders, &granted_by, self.cache, self.patience);
        }
        let private = Private::new(medium, &folders, &granted_by, account)?;
        Ok(Opened::Private(Rc::new(private)))
    }
}

#[cfg(feature = "etcd")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn etcd(
    settings: &Settings,
    folders: &Folders,
    granted_by: &[&str],
    cache: bool,
    patience: Patience,
) -> Result<Opened> {
    let local = Local::new(settings.clone(), folders, granted_by, cache, patience.all);
    Ok(Opened::Etcd(Rc::new(Etcd::new(local))))
}

#[cfg(not(feature = "etcd"))]
fn etcd(_: &Settings, _: &Folders, _: &[&str], _: bool, _: Patience) -> Result<Opened> {
    let what = "this program was built without etcd, which the profile is kept in";
    Err(Error::new(Kind::Configuration, what)
        .hint("build it with cargo install --path . --features etcd"))
}

fn no_etcd() -> Error {
    let what = "storage = \"etcd\" needs a table etcd in the profile";
    Error::new(Kind::Configuration, what).hint("docs/fleet.md shows one")
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
    if path.is_absolute() {
        return Ok(path);
    }
    std::path::absolute(&path).map_err(|error| Error::io("find", &path, &error))
}

fn other_issuer(granted_by: &Provenance) -> Error {
    let what = format!(
        "the login was granted by {}, which is not this profile's issuer",
        granted_by.issuer
    );
    Error::new(Kind::Configuration, what).sign_in_again()
}

fn not_codexs() -> Error {
    Error::new(Kind::Usage, "Codex keeps its own login alone, and none of another issuer's")
        .hint("there are the storages file, keyring and memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let variable = |name: &str| match name {
            "CODEX_HOME" => Some("/nowhere".into()),
            "CODEX_CREDENTIAL_CONFIG" => Some("/dev/null".into()),
            _ => None,
        };
        Profile::of(variable, Asked::default()).unwrap()
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
