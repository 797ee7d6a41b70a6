//! The table `[profiles.NAME.etcd]`: where hosts share a login.

use crate::values::{EndpointUrl, OneLine, file};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::path::PathBuf;
use std::time::Duration;

/// A shorter lease could expire while its holder is only slow.
const SHORTEST_LEASE: Duration = Duration::from_secs(2);

/// What a host may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, renews and replaces the login.
    #[default]
    Writer,
    /// Decrypts access tokens only and renews nothing.
    Reader,
}

/// What a host does about a refresh request of another host that is gone and has stored no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LostAnswer {
    /// Sends the refresh token once more. Servers that accept that do so for seconds or minutes.
    #[default]
    Resend,
    /// Leaves the renewal to the other host while the access token is valid.
    Wait,
}

/// The keys of the table. Relative paths start at the folder of `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Settings {
    pub endpoints: Vec<EndpointUrl>,
    /// The beginning of every key's name in etcd.
    pub prefix: OneLine,
    /// PEM: the certificate authority of the endpoints [default: the platform's].
    #[serde(deserialize_with = "file")]
    pub ca_file: Option<PathBuf>,
    /// PEM: the certificate of this host.
    #[serde(deserialize_with = "file")]
    pub certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "file")]
    pub key_file: Option<PathBuf>,
    pub user: Option<OneLine>,
    /// A file with the password on its only line.
    #[serde(deserialize_with = "file")]
    pub password_file: Option<PathBuf>,
    /// The age recipients of the hosts that renew the login.
    pub recipients: Vec<OneLine>,
    /// The age recipients of the hosts that only read access tokens.
    pub readers: Vec<OneLine>,
    /// The age identity of this host.
    #[serde(deserialize_with = "file")]
    pub identity_file: PathBuf,
    pub role: Role,
    /// How long a renewing host may be unreachable before another host takes over.
    #[serde(deserialize_with = "lease")]
    pub lease: Duration,
    pub unanswered: LostAnswer,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            prefix: "codex-credential".parse().expect("one line"),
            ca_file: None,
            certificate_file: None,
            key_file: None,
            user: None,
            password_file: None,
            recipients: Vec::new(),
            readers: Vec::new(),
            identity_file: PathBuf::new(),
            role: Role::Writer,
            lease: Duration::from_secs(10),
            unanswered: LostAnswer::Resend,
        }
    }
}

impl Settings {
    /// Returns the first key that is missing.
    pub fn missing_key(&self) -> Option<&'static str> {
        let needs_recipients = self.role == Role::Writer;
        let missing = [
            (self.endpoints.is_empty(), "endpoints"),
            (self.identity_file.as_os_str().is_empty(), "identity_file"),
            (needs_recipients && self.recipients.is_empty(), "recipients"),
            (self.user.is_some() && self.password_file.is_none(), "password_file"),
            (self.certificate_file.is_some() && self.key_file.is_none(), "key_file"),
        ];
        missing.into_iter().find_map(|(is_missing, key)| is_missing.then_some(key))
    }

    /// Returns the files that hold a secret.
    pub fn secret_files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.key_file, &self.password_file].into_iter().flatten().chain([&self.identity_file])
    }

    /// Returns the files that the table names.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { ca_file, certificate_file, key_file, password_file, identity_file, .. } = self;
        let optional = [ca_file, certificate_file, key_file, password_file];
        optional.into_iter().flatten().chain([identity_file])
    }
}

/// Reads a duration such as "10s".
fn lease<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    let text = OneLine::deserialize(value)?;
    let lease = text.parse().ok().and_then(|lease: jiff::SignedDuration| lease.try_into().ok());
    lease
        .filter(|lease| *lease >= SHORTEST_LEASE)
        .ok_or_else(|| D::Error::custom("expected a duration of at least 2s, such as \"10s\""))
}
