//! Other hosts' credentials: what git stores with us for hosts that are not ours. There is one document for each protocol
//! and host, so that a `get` costs the same with one host and with ten thousand.
//!
//! ```text
//! git/HH/lock                 held for each write to a document in this folder; never deleted
//! git/HH/PROTOCOL-HOST-HASH   the document
//! ```
//!
//! HH is the beginning of HASH. In the keyring each document is an item, and only the locks are files.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::private;
use crate::storage::files::{self, sweep_temporary_files};
use crate::storage::keyring::Item;
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::tokens::{Fingerprint, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitStorage {
    #[default]
    File,
    Keyring,
    /// Nothing is stored.
    None,
}

/// A value of git's: any bytes except LF and NUL. In JSON it is base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Secret<String>", into = "Secret<String>")]
pub struct SecretBytes(Secret<Vec<u8>>);

impl SecretBytes {
    pub fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(Secret::new(bytes.to_vec()))
    }
}

impl From<SecretBytes> for Secret<String> {
    fn from(value: SecretBytes) -> Self {
        Self::new(STANDARD.encode(value.bytes()))
    }
}

impl TryFrom<Secret<String>> for SecretBytes {
    type Error = &'static str;

    fn try_from(text: Secret<String>) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text.expose()).map_err(|_| "not base64")?;
        Ok(Self(Secret::new(bytes)))
    }
}

/// One credential, with git's attributes (`git-credential(1)`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredCredential {
    pub path: Option<SecretBytes>,
    pub username: Option<SecretBytes>,
    pub password: Option<SecretBytes>,
    pub authtype: Option<SecretBytes>,
    pub credential: Option<SecretBytes>,
    pub password_expiry_utc: Option<i64>,
    pub oauth_refresh_token: Option<SecretBytes>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    protocol: SecretBytes,
    host: SecretBytes,
    credentials: Vec<StoredCredential>,
}

/// The credentials of one protocol and host.
#[derive(Clone, Debug)]
pub struct HostCredentials {
    protocol: Vec<u8>,
    host: Vec<u8>,
    folder: PathBuf,
    file: String,
    /// `None` for files.
    keyring_timeout: Option<Duration>,
}

impl HostCredentials {
    /// Returns `None` for [`GitStorage::None`]. The case of a host name does not matter.
    pub fn new(
        storage: GitStorage,
        folders: &Folders,
        keyring_timeout: Duration,
        (protocol, host): (&[u8], &[u8]),
    ) -> Option<Self> {
        let (root, keyring_timeout) = match storage {
            GitStorage::File => (&folders.state, None),
            // The locks are beside the keyring's own socket, so that all processes with this keyring share them.
            GitStorage::Keyring => {
                (folders.runtime.as_ref().unwrap_or(&folders.state), Some(keyring_timeout))
            }
            GitStorage::None => return None,
        };
        let host = host.to_ascii_lowercase();
        let hash = Fingerprint::of(&[protocol, b"\0", &host].concat());
        let name = [protocol, b"-", &host].concat();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
        let name: String = name.into_iter().filter(is_plain).take(64).map(char::from).collect();
        Some(Self {
            protocol: protocol.to_vec(),
            host,
            folder: root.join("git").join(hash.prefix(2)),
            file: format!("{name}-{}", hash.prefix(32)),
            keyring_timeout,
        })
    }

    /// Returns the stored credentials, the latest first. No lock is needed, because a document is replaced, never edited.
    pub fn read(&self, deadline: &Deadline) -> Result<Vec<StoredCredential>> {
        let location = self.location(deadline);
        let Some(bytes) = location.read()? else { return Ok(Vec::new()) };
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| {
            let position = format!("line {}, column {}", error.line(), error.column());
            unusable(&location, &format!("is damaged ({position})"))
        })?;
        let is_of_this_host = document.protocol == self.protocol.as_slice().into()
            && document.host == self.host.as_slice().into();
        if is_of_this_host {
            Ok(document.credentials)
        } else {
            Err(unusable(&location, "is of another host"))
        }
    }

    /// Replaces the stored credentials by what `change` returns. When it returns `None`, nothing changes, no lock is
    /// taken, and the result is false.
    ///
    /// # Errors
    /// `Busy` when another process holds the lock until `deadline`.
    pub fn change(
        &self,
        deadline: &Deadline,
        change: impl Fn(&[StoredCredential]) -> Option<Vec<StoredCredential>>,
    ) -> Result<bool> {
        if change(&self.read(deadline)?).is_none() {
            return Ok(false);
        }
        private::create_own_dir(&self.folder)?;
        let _lock = Lock::acquire_or_busy(&self.folder.join("lock"), deadline)?;
        let Some(credentials) = change(&self.read(deadline)?) else { return Ok(false) };
        sweep_temporary_files(&self.folder);
        self.write(credentials, deadline)?;
        Ok(true)
    }

    fn write(&self, credentials: Vec<StoredCredential>, deadline: &Deadline) -> Result<()> {
        let location = self.location(deadline);
        if credentials.is_empty() {
            return location.remove().map(drop);
        }
        let (protocol, host) = (self.protocol.as_slice().into(), self.host.as_slice().into());
        let document = Document { protocol, host, credentials };
        let bytes = Zeroizing::new(serde_json::to_vec(&document).expect("documents serialize"));
        if bytes.len() as u64 > files::MAX_LENGTH {
            let what =
                format!("{location} would be larger than 4 MiB; the credential was not stored");
            return Err(Error::new(Kind::Storage, what).hint("erase some credentials of that host"));
        }
        location.write(&bytes)
    }

    /// Returns where the document is. A keyring is given until `deadline` at most.
    fn location(&self, deadline: &Deadline) -> Location {
        let Some(timeout) = self.keyring_timeout else {
            return Location::File(self.folder.join(&self.file));
        };
        let timeout = timeout.min(deadline.remaining());
        Location::Keyring { item: Item::own(format!("git|{}", self.file), timeout), copy: None }
    }
}

fn unusable(location: &Location, reason: &str) -> Error {
    Error::new(Kind::Storage, format!("{location} {reason}"))
        .hint("remove it and sign in to that host again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_credentials(protocol: &str, host: &str) -> HostCredentials {
        let root = || PathBuf::from("/nowhere");
        let folders = Folders { state: root(), runtime: None };
        let which = (protocol.as_bytes(), host.as_bytes());
        HostCredentials::new(GitStorage::File, &folders, Duration::ZERO, which).unwrap()
    }

    #[test]
    fn each_protocol_and_host_has_its_own_document_name() {
        let path = |protocol, host| {
            let credentials = host_credentials(protocol, host);
            credentials.folder.join(credentials.file)
        };
        assert_eq!(path("https", "a.example:8"), path("https", "A.Example:8"));
        for (protocol, host) in [
            ("http", "a.example:8"),
            ("https", "a.example"),
            ("https", "a.example8"),
            ("https", ""),
            ("https-a", ".example:8"),
        ] {
            assert_ne!(path("https", "a.example:8"), path(protocol, host));
        }
        let odd = host_credentials("../..", &"/\u{e4}".repeat(1000));
        assert_eq!(odd.file.len(), "....-".len() + 1 + 32);
    }
}
