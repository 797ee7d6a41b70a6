//! One item of the platform's keyring: Secret Service, Keychain, Credential Manager. The only home of the keyring
//! crate.
//!
//! A locked keyring waits for a person and a stopped one for ever, so each call runs on a thread of its own and
//! is given up after 3 s.

use crate::error::{Error, Kind, Result};
use crate::tokens::Fingerprint;
use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub service: String,
    pub user: String,
}

type Bytes = Zeroizing<Vec<u8>>;

/// Whether this session has a keyring at all, locked or not.
pub fn is_there() -> bool {
    let item = Item { service: "codex-credential".into(), user: "probe".into() };
    let asked = item.call("reach", |entry| match entry.get_secret() {
        // No secret service, no bus: there is none. Anything else is an answer of one.
        Err(keyring::Error::PlatformFailure(_)) => Ok(false),
        _ => Ok(true),
    });
    asked.unwrap_or(true)
}

impl Item {
    /// The item in which Codex keeps the login of this CODEX_HOME.
    pub fn of_codex(codex_home: &Path) -> Self {
        let path = codex_home.canonicalize().unwrap_or_else(|_| codex_home.to_owned());
        let hash = Fingerprint::of(path.to_string_lossy().as_bytes());
        Self { service: "Codex Auth".into(), user: format!("cli|{}", hash.prefix(16)) }
    }

    /// The item's secret; `None` when the keyring answered that there is none.
    pub fn load(&self) -> Result<Option<Bytes>> {
        self.call("read", |entry| match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Writes the secret, and reads it back before it is believed.
    pub fn save(&self, secret: &[u8]) -> Result<()> {
        let written = Zeroizing::new(secret.to_vec());
        self.call("write", move |entry| entry.set_secret(&written))?;
        match self.load()? {
            Some(read) if *read == secret => Ok(()),
            _ => Err(self.failed("write", "it did not keep what was written")),
        }
    }

    /// Removes the item; false when there was none.
    pub fn remove(&self) -> Result<bool> {
        self.call("change", |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn call<T: Send + 'static>(
        &self,
        what: &str,
        act: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = mpsc::channel();
        let item = self.clone();
        thread::spawn(move || {
            let entry = keyring::Entry::new(&item.service, &item.user);
            let _ = sender.send(entry.and_then(|entry| act(&entry)));
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(what, &words(&error))),
            Err(_) => Err(self.failed(what, "it did not answer in 3 s; it may be locked")),
        }
    }

    fn failed(&self, what: &str, why: &str) -> Error {
        Error::new(Kind::Storage, format!("cannot {what} {self}: {why}")).hint(
            "unlock the keyring (log in to the desktop, or run gnome-keyring-daemon --unlock), or set \
             cli_auth_credentials_store = \"file\" in Codex's config.toml and sign in again",
        )
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keyring item \"{}\" of {}", self.service, self.user)
    }
}

/// The crate's own words, without what it may quote of a secret.
fn words(error: &keyring::Error) -> String {
    match error {
        keyring::Error::BadEncoding(_) => "the item is not text".into(),
        keyring::Error::NoStorageAccess(error) | keyring::Error::PlatformFailure(error) => {
            error.to_string()
        }
        keyring::Error::Ambiguous(items) => {
            format!("there are {} items by that name; remove all but one", items.len())
        }
        error => error.to_string(),
    }
}
