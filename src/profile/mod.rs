//! Which issuer, client, hosts, storage and account a request is for: the built-in profile `codex`, or a profile of
//! `config.toml`.

pub mod built_in;
pub mod config;
mod destinations;
mod mistake;
pub mod presets;
pub mod profile_table;
pub mod storage;
mod variables;

pub use variables::{config, config_path};

use crate::client::{ClientRegistration, Standard};
use crate::error::{Error, Kind, Result};
use crate::login::{Login, TokenKind};
use crate::network::Network;
use crate::profile::built_in::{BUILT_IN, CLIENT_ID, HOST, ISSUER};
use crate::profile::profile_table::ProfileTable;
use crate::profile::storage::{LoginStorage, StorageOptions, open};
use crate::profile::variables::Variables;
use crate::storage::StorageKind;
use crate::storage::audit_log::AuditLevel;
use crate::storage::host_credentials::GitStorage;
use crate::storage::location::Location;
use crate::urls::host;
use crate::values::{Host, IssuerUrl, OneLine};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    /// Whether a command that names no profile uses this one.
    pub is_default: bool,
    /// The configuration file, if there is one.
    pub config_file: Option<PathBuf>,
    /// The profile's table, completed with defaults and environment variables.
    pub settings: ProfileTable,
    /// This program as the authorization server knows it.
    pub client: ClientRegistration,
    /// What to request of a server that follows the RFCs; `None` for auth.openai.com.
    pub standard: Option<Standard>,
    pub storage: LoginStorage,
    storage_options: StorageOptions,
    /// Whether the login is in Codex's storage, or parked while another one is there.
    is_of_codex: bool,
    /// The token that the command, else the profile, hands out.
    pub token: TokenKind,
    /// The account that the command, the request or the profile names.
    pub account: Option<String>,
    pub other_hosts_storage: GitStorage,
    pub audit: AuditLevel,
    /// PEM certificates to trust in addition to the platform's.
    pub extra_ca: Option<PathBuf>,
}

/// What the command line and the request say about the profile.
#[derive(Clone, Debug, Default)]
pub struct ProfileSelection {
    pub profile: Option<String>,
    pub config: Option<PathBuf>,
    pub account: Option<String>,
    /// The host of the request.
    pub host: Option<Vec<u8>>,
    pub keyring_timeout: Duration,
}

impl Profile {
    /// Selects the named profile, else the profile of the host, else the default profile.
    ///
    /// # Errors
    /// `Configuration` for a mistake in the configuration file, `Usage` for one in an option or a variable.
    pub fn of(
        variable: impl Fn(&str) -> Option<OsString>,
        selection: ProfileSelection,
    ) -> Result<Self> {
        let config = config(&variable, selection.config)?;
        let variables = Variables(&variable);
        let named = match selection.profile {
            Some(name) => Some(name),
            None => variables.text("CODEX_CREDENTIAL_PROFILE")?,
        };
        let of_host = selection.host.as_deref().and_then(|host| config.profile_of_host(host));
        let name = named.as_deref().or(of_host).unwrap_or(config.default_name()).to_owned();
        let is_built_in = name == BUILT_IN;
        let mut settings = config.find(&name)?;
        if is_built_in {
            complete_built_in(&mut settings, &variables)?;
        }
        let standard = (!is_built_in).then(|| settings.standard());
        let client = ClientRegistration {
            issuer: settings.issuer.clone().expect("every profile has an issuer").into(),
            client_id: settings.client_id.clone().expect("every profile has a client id").into(),
        };
        let account = selection.account.or_else(|| settings.account.clone().map(Into::into));
        let keyring_timeout = selection.keyring_timeout;
        let storage_options =
            StorageOptions { codex_home: variables.codex_home()?, keyring_timeout };
        let kind = *settings.storage.get_or_insert(StorageKind::File);
        Ok(Self {
            storage: open(kind, &settings, &client, account.clone(), &storage_options)?,
            other_hosts_storage: variables
                .choice("CODEX_CREDENTIAL_GIT_STORAGE")?
                .unwrap_or(config.git.storage),
            audit: config.audit,
            is_default: config.default_name() == name,
            is_of_codex: kind == StorageKind::Codex,
            config_file: config.path,
            token: settings.token.unwrap_or_default(),
            extra_ca: variables.path("CODEX_CA_CERTIFICATE")?,
            name,
            settings,
            client,
            standard,
            storage_options,
            account,
        })
    }

    /// `$CODEX_HOME` or its default, as an absolute path.
    pub fn codex_home(&self) -> &Path {
        &self.storage_options.codex_home
    }

    /// Returns the folder whose `config.toml` and `.env` say how Codex's login is used. Those of a `CODEX_HOME` that does not
    /// have the login, such as one in a repository, do not say where its tokens go.
    pub fn codex_settings(&self) -> Option<&Path> {
        self.is_of_codex.then(|| self.codex_home())
    }

    /// Returns the settings of the network. Only what sends a request reads them.
    pub fn network(&self) -> Network {
        Network::new(self.extra_ca.clone(), self.codex_settings())
    }

    pub fn storage_kind(&self) -> StorageKind {
        self.settings.storage.unwrap_or(StorageKind::File)
    }

    /// Returns this profile with its login in another storage.
    pub fn with_storage(&self, kind: StorageKind) -> Result<Self> {
        let account = self.account.clone();
        if kind == StorageKind::Codex && self.standard.is_some() {
            let what = "the storage codex takes only logins of the profile codex";
            let error = Error::new(Kind::Usage, what);
            return Err(error.hint("use the storage file, keyring, memory or etcd"));
        }
        let settings = ProfileTable { storage: Some(kind), ..self.settings.clone() };
        let storage = open(kind, &settings, &self.client, account, &self.storage_options)?;
        Ok(Self { settings, storage, ..self.clone() })
    }

    /// Returns this profile for the logins that are kept while another one is in Codex's storage: for that of `account`, or
    /// for all. Those of a Codex that uses the keyring are in the keyring, too.
    pub fn parked(&self, account: Option<String>) -> Result<Self> {
        let is_in_file = match self.storage.as_codex() {
            Some(home) => matches!(home.location_of_new_login()?, Location::File(_)),
            None => self.storage_kind() == StorageKind::File,
        };
        let kind = if is_in_file { StorageKind::File } else { StorageKind::Keyring };
        Self { account, ..self.clone() }.with_storage(kind)
    }

    /// Returns this profile for the account `username`, if no account is named yet and the storage keeps that account.
    pub fn for_username(self, username: &str) -> Result<Self> {
        if self.account.is_some() {
            return Ok(self);
        }
        Ok(match self.storage.of_account(username)? {
            Some(storage) => Self { storage, account: Some(username.to_owned()), ..self },
            None => self,
        })
    }

    /// Returns whether `login` is of the named account, or true if no account is named.
    pub fn matches_account(&self, login: &Login) -> bool {
        self.account.as_ref().is_none_or(|name| login.account().is_named(name))
    }

    /// Returns `login` with the token to hand out in place of the access token.
    ///
    /// # Errors
    /// `Configuration` if the login has no such token.
    pub fn handed_out(&self, login: Login) -> Result<Login> {
        login.handing_out(self.token).ok_or_else(|| {
            let issuer = host(&self.client.issuer);
            Error::new(Kind::Configuration, format!("{issuer} sent no ID token that proves anything"))
                .hint("ask for one with openid in the scope of the profile, or take token = \"id_token\" out")
        })
    }

    /// Returns the folders that change when the login or its login directory changes.
    pub fn watched(&self) -> Result<Vec<PathBuf>> {
        let mut folders = self.storage.watched();
        folders.push(self.storage.sign_in_dir().dir().to_owned());
        folders.extend(self.storage.login_dir()?.map(|login_dir| login_dir.dir().to_owned()));
        Ok(folders)
    }
}

/// Fills in what is fixed for the built-in profile, or comes from variables that only it obeys.
fn complete_built_in(settings: &mut ProfileTable, variables: &Variables) -> Result<()> {
    settings.issuer = Some(match variables.parsed::<IssuerUrl>("CODEX_CREDENTIAL_ISSUER")? {
        Some(url) => {
            url.trim_end_matches('/').parse().expect("a URL remains one without its last slash")
        }
        None => IssuerUrl::built_in(ISSUER),
    });
    let client_id = variables.parsed("CODEX_CREDENTIAL_CLIENT_ID")?;
    settings.client_id = Some(client_id.unwrap_or_else(|| OneLine::built_in(CLIENT_ID)));
    settings.hosts = vec![Host::built_in(HOST)];
    // Codex's own overrides.
    settings.token_endpoint = variables.parsed("CODEX_REFRESH_TOKEN_URL_OVERRIDE")?;
    settings.revocation_endpoint = variables.parsed("CODEX_REVOKE_TOKEN_URL_OVERRIDE")?;
    let storage = variables.choice("CODEX_CREDENTIAL_STORAGE")?.or(settings.storage);
    settings.storage = storage.or(Some(StorageKind::Codex));
    Ok(())
}
