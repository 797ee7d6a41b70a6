//! The credentials that git gave us to keep: one document for each protocol and host, so that a `get` costs the same
//! with one host and with ten thousand.
//!
//! ```text
//! git/HH/lock                 the kernel lock of every write to the documents here, held for the write; never deleted
//! git/HH/PROTOCOL-HOST-HASH   the document
//! ```
//!
//! HH are the first digits of the hash. In a keyring the document is an item, and only the locks are files.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::storage::files::sweep;
use crate::storage::files_read;
use crate::storage::keyring::{Item, KeyringTimeouts};
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::storage::login_dir::create_private;
use crate::storage::secret_bytes::SecretBytes;
use crate::tokens::Fingerprint;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Where the documents are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitStorage {
    #[default]
    File,
    Keyring,
    /// Nothing is kept.
    None,
}

impl FromStr for GitStorage {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        ValueEnum::from_str(name, false).map_err(|_| {
            let what = format!("there is no storage {name:?} for git's credentials");
            Error::new(Kind::Usage, what).hint("there are file, keyring and none")
        })
    }
}

/// One credential of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<SecretBytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<SecretBytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretBytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authtype: Option<SecretBytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretBytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_expiry_utc: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_refresh_token: Option<SecretBytes>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    protocol: SecretBytes,
    host: SecretBytes,
    credentials: Vec<Entry>,
}

/// The credentials of one protocol and host.
#[derive(Clone, Debug)]
pub struct HostCredentials {
    protocol: Vec<u8>,
    host: Vec<u8>,
    folder: PathBuf,
    file: String,
    /// How long the keyring is waited for, where that is the storage.
    keyring: Option<KeyringTimeouts>,
}

impl HostCredentials {
    /// `None` where nothing is kept. Host names are the same in any case.
    pub fn open(
        storage: GitStorage,
        folders: &Folders,
        patience: KeyringTimeouts,
        (protocol, host): (&[u8], &[u8]),
    ) -> Option<Self> {
        let (root, keyring) = match storage {
            GitStorage::File => (&folders.state, None),
            // Beside the keyring's own socket, so that all who share the keyring meet.
            GitStorage::Keyring => {
                (folders.runtime.as_ref().unwrap_or(&folders.state), Some(patience))
            }
            GitStorage::None => return None,
        };
        let host = host.to_ascii_lowercase();
        let hash = Fingerprint::of(&[protocol, b"\0", &host].concat());
        let words = [protocol, b"-", &host].concat();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
        let words: String = words.into_iter().filter(is_plain).take(64).map(char::from).collect();
        Some(Self {
            protocol: protocol.to_vec(),
            host,
            folder: root.join("git").join(hash.prefix(2)),
            file: format!("{words}-{}", hash.prefix(32)),
            keyring,
        })
    }

    /// What is kept, the latest first. Takes no lock: a document is replaced, never edited.
    pub fn read(&self, deadline: &Deadline) -> Result<Vec<Entry>> {
        let location = self.location(deadline);
        loop {
            let Some(bytes) = location.read()? else { return Ok(Vec::new()) };
            let understood: Result<Document, _> = serde_json::from_slice(&bytes);
            let document = understood.map_err(|error| {
                let login_dir = format!("line {}, column {}", error.line(), error.column());
                not_ours(&location, &format!("cannot be understood ({login_dir})"))
            })?;
            if self.is_about(&document) {
                return Ok(document.credentials);
            }
            // A keyring gives a new item the name of one that was removed while we looked.
            if deadline.is_over() || self.keyring.is_none() {
                return Err(not_ours(&location, "is about another host"));
            }
        }
    }

    fn is_about(&self, document: &Document) -> bool {
        document.protocol == self.protocol.as_slice().into()
            && document.host == self.host.as_slice().into()
    }

    /// Replaces what is kept by what `change` makes of it; where that is nothing, all stays as it is, and no lock is
    /// taken.
    ///
    /// # Errors
    /// `Busy` when another process held the lock until `deadline`.
    pub fn change(
        &self,
        deadline: &Deadline,
        change: impl Fn(&[Entry]) -> Option<Vec<Entry>>,
    ) -> Result<bool> {
        if change(&self.read(deadline)?).is_none() {
            return Ok(false);
        }
        create_private(&self.folder)?;
        let _lock = Lock::acquire_or_name(&self.folder.join("lock"), deadline)?;
        let Some(entries) = change(&self.read(deadline)?) else { return Ok(false) };
        sweep(&self.folder);
        self.write(entries, deadline)?;
        Ok(true)
    }

    fn write(&self, credentials: Vec<Entry>, deadline: &Deadline) -> Result<()> {
        let location = self.location(deadline);
        if credentials.is_empty() {
            return location.remove().map(drop);
        }
        let (protocol, host) = (self.protocol.as_slice().into(), self.host.as_slice().into());
        let document = Document { protocol, host, credentials };
        let bytes = Zeroizing::new(serde_json::to_vec(&document).expect("documents serialize"));
        if bytes.len() as u64 > files_read::LIMIT {
            let what =
                format!("{location} would be larger than 4 MiB; the credential was not stored");
            return Err(Error::new(Kind::Storage, what).hint("erase some of that host's"));
        }
        location.write(&bytes)
    }

    /// A keyring is not waited for longer than until `deadline`.
    fn location(&self, deadline: &Deadline) -> Location {
        let Some(patience) = self.keyring else {
            return Location::File(self.folder.join(&self.file));
        };
        Location::Keyring(Item::own(self.item(), patience.at_most(deadline.remaining())))
    }

    /// The item's name: readable, where protocol and host are.
    fn item(&self) -> String {
        let url = [&self.protocol, &b"://"[..], &self.host].concat();
        let is_plain = url.len() <= 256 && url.iter().all(u8::is_ascii_graphic);
        match String::from_utf8(url) {
            Ok(url) if is_plain => format!("git|{url}"),
            _ => format!("git|{}", self.file),
        }
    }
}

fn not_ours(location: &Location, why: &str) -> Error {
    Error::new(Kind::Storage, format!("{location} {why}"))
        .hint("mend it, or remove it and sign in to that host again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(protocol: &str, host: &str) -> HostCredentials {
        let root = || PathBuf::from("/nowhere");
        let folders = Folders { state: root(), runtime: None };
        let which = (protocol.as_bytes(), host.as_bytes());
        HostCredentials::open(GitStorage::File, &folders, KeyringTimeouts::default(), which)
            .unwrap()
    }

    #[test]
    fn each_protocol_and_host_has_a_document_whatever_it_is_made_of() {
        let of = |protocol, host| {
            let bucket = bucket(protocol, host);
            (bucket.folder, bucket.file)
        };
        assert_eq!(of("https", "a.example:8"), of("https", "A.Example:8"));
        for (protocol, host) in [
            ("http", "a.example:8"),
            ("https", "a.example"),
            ("https", "a.example8"),
            ("https", ""),
            ("https-a", ".example:8"),
        ] {
            assert_ne!(of("https", "a.example:8"), of(protocol, host));
        }
        let odd = bucket("../..", &"/\u{e4}".repeat(1000));
        assert_eq!(odd.file.len(), "....-".len() + 1 + 32);
        assert!(odd.item().len() < 64 && !odd.item().contains("://"));
        assert_eq!(bucket("https", "A.example:8").item(), "git|https://a.example:8");
    }
}
