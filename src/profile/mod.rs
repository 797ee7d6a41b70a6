//! Which issuer, client, hosts and storage a request means: the built-in profile `codex`, or one of `config.toml`.

pub mod config;
mod endpoints;
pub mod etcd;
mod hosts;
mod reader;
pub mod storage;
pub mod table;
mod variables;

pub use variables::{config, config_path};

use crate::client::ClientRegistration;
use crate::client::{Dialect, Standard};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::storage::LoginStorage;
use crate::profile::storage::Opener;
use crate::profile::table::{Pin, Table};
use crate::profile::variables::Variables;
use crate::storage::StorageKind;
use crate::storage::audit_log::AuditLevel;
use crate::storage::host_credentials::GitStorage;
use crate::storage::keyring::KeyringTimeouts;
use crate::storage::login_dir::LoginDir;
use crate::ui::Interactive;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

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
    pub issuer: ClientRegistration,
    pub dialect: Dialect,
    /// The hosts that its access tokens are for.
    pub hosts: Vec<String>,
    /// Where git's credentials for hosts that are no profile's are kept.
    pub git: GitStorage,
    /// What is written down of what is done.
    pub audit: AuditLevel,
    pub storage: LoginStorage,
    /// Whose login is meant, where that is said.
    pub account: Option<String>,
    /// Which account it has to be, by the configuration.
    pub pin: Pin,
    pub interactive: Option<Interactive>,
    pub kept: StorageKind,
    opener: Opener,
    refresh_url: Option<String>,
    revoke_url: Option<String>,
    /// PEM certificates to trust beside the platform's.
    pub extra_ca: Option<PathBuf>,
}

/// What is said of the profile on the command line and by the request.
#[derive(Clone, Debug, Default)]
pub struct ProfileSelection {
    pub profile: Option<String>,
    pub config: Option<PathBuf>,
    pub account: Option<String>,
    /// The host of the request.
    pub host: Option<Vec<u8>>,
    /// For the keyring.
    pub patience: KeyringTimeouts,
}

impl Profile {
    /// The profile that is named, else the one whose host is asked for, else the default one.
    ///
    /// # Errors
    /// `Configuration` for a file that cannot be understood, `Usage` when a variable or an option names what is not
    /// there.
    pub fn of(
        variable: impl Fn(&str) -> Option<OsString>,
        asked: ProfileSelection,
    ) -> Result<Self> {
        let config = config(&variable, asked.config.clone())?;
        let variable = Variables(variable);
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
        variable: &Variables<F>,
        table: Table,
        config: Option<PathBuf>,
        asked: ProfileSelection,
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
            None => table.storage.unwrap_or(StorageKind::Codex),
        };
        let profile = Self::open(
            variable,
            BUILT_IN.into(),
            ClientRegistration { issuer, client_id },
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
        variable: &Variables<F>,
        name: String,
        table: Table,
        config: Option<PathBuf>,
        asked: ProfileSelection,
    ) -> Result<Self> {
        let issuer =
            ClientRegistration { issuer: table.issuer.clone(), client_id: table.client_id.clone() };
        let dialect = Dialect::Standard(Rc::new(table.standard.clone()));
        let kept = table.storage.unwrap_or(StorageKind::File);
        Self::open(variable, name, issuer, dialect, kept, table, config, asked)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a profile, put together once")]
    fn open<F: Fn(&str) -> Option<OsString>>(
        variable: &Variables<F>,
        name: String,
        issuer: ClientRegistration,
        dialect: Dialect,
        kept: StorageKind,
        table: Table,
        config: Option<PathBuf>,
        asked: ProfileSelection,
    ) -> Result<Self> {
        let codex_home = variable.codex_home()?;
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
            audit: AuditLevel::default(),
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

    /// Absolute, so that every process means the same folder.
    pub fn codex_home(&self) -> &Path {
        &self.opener.codex_home
    }

    /// The same login in another storage.
    pub fn stored_in(&self, kept: StorageKind) -> Result<Self> {
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
    pub fn watched(&self, login_dir: &LoginDir) -> Vec<PathBuf> {
        let mut folders = self.storage.watched();
        folders.push(login_dir.dir().to_owned());
        folders
    }

    /// What this profile has its issuer asked for, where that goes by the standards.
    pub fn as_standard(&self) -> Option<&Standard> {
        match &self.dialect {
            Dialect::OpenAi => None,
            Dialect::Standard(standard) => Some(standard),
        }
    }
}
