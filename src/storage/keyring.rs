//! One item of the platform's keyring: Secret Service, Keychain, Credential Manager. The only home of the keyring
//! crate.
//!
//! A locked keyring waits for a person and a stopped one for ever, so each call runs on a thread of its own and
//! is given up in time.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::storage::keyring_parts::Header;
use crate::storage::lock::Lock;
use crate::storage::login_dir::create_private;
use crate::tokens::Fingerprint;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an answer is waited for, where nobody says less.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a keyring is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyringTimeouts {
    /// For its answer.
    pub answer: Duration,
    /// For that, and before that for the other processes of ours that ask it something.
    pub all: Duration,
}

impl KeyringTimeouts {
    /// For a caller who waits so long.
    pub fn of(wait: Duration) -> Self {
        Self { answer: wait.min(PATIENCE), all: wait }
    }

    pub fn at_most(self, left: Duration) -> Self {
        Self { answer: self.answer.min(left), all: self.all.min(left) }
    }
}

impl Default for KeyringTimeouts {
    /// Codex kills its helper after 5 seconds.
    fn default() -> Self {
        Self::of(Duration::from_secs(4))
    }
}

/// How long a connection is given to close, and the keyring to notice: the keyring crate makes one for each call, and
/// closes it after its answer is here.
const FAREWELL: Duration = Duration::from_millis(10);

/// The longest value of one item, in bytes: what Credential Manager takes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
const LIMIT: usize = if cfg!(windows) { 2560 } else { usize::MAX };

/// The service name of what this program keeps for itself.
const SERVICE: &str = "codex-credential";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    service: String,
    user: String,
    /// The longest value that is not split, in bytes.
    limit: usize,
    patience: KeyringTimeouts,
}

type Bytes = Zeroizing<Vec<u8>>;

/// Whether this session has a keyring at all, locked or not.
pub fn is_there(patience: KeyringTimeouts) -> bool {
    let asked = Item::own("probe", patience).call("reach", |entry| match entry.get_secret() {
        // No secret service, no bus: there is none. Anything else is an answer of one.
        Err(keyring::Error::PlatformFailure(_)) => Ok(false),
        _ => Ok(true),
    });
    asked.unwrap_or(true)
}

impl Item {
    /// The item in which Codex keeps the login of this CODEX_HOME. Codex knows of no parts.
    pub fn of_codex(codex_home: &Path, patience: KeyringTimeouts) -> Self {
        let path = codex_home.canonicalize().unwrap_or_else(|_| codex_home.to_owned());
        let hash = Fingerprint::of(path.to_string_lossy().as_bytes());
        let user = format!("cli|{}", hash.prefix(16));
        Self { service: "Codex Auth".into(), user, limit: usize::MAX, patience }
    }

    /// An item of this program's own.
    pub fn own(user: impl Into<String>, patience: KeyringTimeouts) -> Self {
        Self { service: SERVICE.into(), user: user.into(), limit: LIMIT, patience }
    }

    /// With values longer than `limit` bytes split.
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Where the key lies that seals the journal of the login in this item.
    pub fn journal_key(&self) -> Self {
        Self::own(format!("{}|journal", self.user), self.patience)
    }

    /// The item's secret; `None` when the keyring answered that there is none.
    pub fn load(&self) -> Result<Option<Bytes>> {
        let Some(value) = self.read()? else { return Ok(None) };
        let Some(header) = self.header(&value) else { return Ok(Some(value)) };
        let mut secret = Zeroizing::new(Vec::new());
        for part in self.parts(&header) {
            let part = part.read()?.ok_or_else(|| self.failed("read", "a part of it is gone"))?;
            secret.extend_from_slice(&part);
        }
        Ok(Some(secret))
    }

    /// Writes the secret, and reads it back before it is believed.
    pub fn save(&self, secret: &[u8]) -> Result<()> {
        let old = if self.limit == usize::MAX { None } else { self.read()? };
        let old = old.and_then(|value| self.header(&value));
        let new = Header::of(secret, self.limit);
        match &new {
            None => self.write(secret)?,
            Some(header) => {
                for (part, bytes) in self.parts(header).zip(secret.chunks(self.limit)) {
                    part.write(bytes)?;
                }
                self.write(&header.value())?;
            }
        }
        match self.load()? {
            Some(read) if *read == secret => {}
            _ => return Err(self.failed("write", "it did not keep what was written")),
        }
        let left = old.filter(|old| new.as_ref() != Some(old));
        left.iter().flat_map(|old| self.parts(old)).try_for_each(|part| part.delete().map(drop))
    }

    /// Removes the item; false when there was none.
    pub fn remove(&self) -> Result<bool> {
        let value = if self.limit == usize::MAX { None } else { self.read()? };
        let parts = value.and_then(|value| self.header(&value));
        let was_there = self.delete()?;
        for part in parts.iter().flat_map(|header| self.parts(header)) {
            part.delete()?;
        }
        Ok(was_there)
    }

    fn header(&self, value: &[u8]) -> Option<Header> {
        if self.limit == usize::MAX { None } else { Header::parse(value) }
    }

    fn parts(&self, header: &Header) -> impl Iterator<Item = Self> {
        header.names(&self.user).map(|user| Self { user, ..self.clone() })
    }

    fn read(&self) -> Result<Option<Bytes>> {
        self.call("read", |entry| match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn write(&self, value: &[u8]) -> Result<()> {
        let value = Zeroizing::new(value.to_vec());
        self.call("write", move |entry| entry.set_secret(&value))
    }

    fn delete(&self) -> Result<bool> {
        self.call("change", |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// One client of ours at a time, and none while another takes its leave: gnome-keyring loses count of its clients
    /// when one comes as another goes, or asks for an item that another is just making or removing. It aborts then,
    /// and takes the session's keyring with it.
    fn call<T: Send + 'static>(
        &self,
        what: &str,
        act: impl Fn(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Deadline::after(self.patience.all);
        let _turn = match turn() {
            Some(path) => match Lock::acquire(&path, &deadline)? {
                None => return Err(self.failed(what, "other processes keep it busy")),
                turn => turn,
            },
            None => None,
        };
        let (sender, receiver) = mpsc::channel();
        let item = self.clone();
        thread::spawn(move || {
            let entry = keyring::Entry::new(&item.service, &item.user);
            let _ = sender.send(entry.and_then(|entry| until_it_stays(|| act(&entry))));
        });
        let patience = self.patience.answer.min(deadline.remaining());
        let answer = receiver.recv_timeout(patience);
        if answer.is_ok() {
            thread::sleep(FAREWELL);
        }
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(what, &words(&error))),
            Err(_) => {
                let seconds = patience.as_secs_f32();
                Err(self.failed(
                    what,
                    &format!("it did not answer in {seconds:.1} s; it may be locked"),
                ))
            }
        }
    }

    fn failed(&self, what: &str, why: &str) -> Error {
        let other = if self.service == SERVICE {
            "choose another storage, such as \"file\""
        } else {
            "set cli_auth_credentials_store = \"file\" in Codex's config.toml and sign in again"
        };
        Error::new(Kind::Storage, format!("cannot {what} {self}: {why}")).hint(format!(
            "unlock the keyring (log in to the desktop, or run gnome-keyring-daemon --unlock), or {other}"
        ))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keyring item \"{}\" of {}", self.service, self.user)
    }
}

/// The lock that says whose turn it is; beside the keyring's own socket, and nowhere else, for a session without that
/// folder has a keyring of its own.
fn turn() -> Option<PathBuf> {
    let folder = Folders::of_user().ok()?.runtime?;
    create_private(&folder).ok()?;
    Some(folder.join("keyring.lock"))
}

/// An item is looked for, and then asked for its secret; another process may remove it in between.
fn until_it_stays<T>(act: impl Fn() -> keyring::Result<T>) -> keyring::Result<T> {
    const TIMES: u32 = 10;
    let tries = (1..TIMES).map(|_| act());
    let stayed = tries.into_iter().find(|result| !result.as_ref().is_err_and(has_vanished));
    stayed.unwrap_or_else(act)
}

/// D-Bus has no other words for an object that is gone; the Secret Service has its own, too.
fn has_vanished(error: &keyring::Error) -> bool {
    const WORDS: [&str; 3] = ["UnknownMethod", "UnknownObject", "NoSuchObject"];
    let (keyring::Error::PlatformFailure(error) | keyring::Error::NoStorageAccess(error)) = error
    else {
        return false;
    };
    let text = error.to_string();
    WORDS.iter().any(|word| text.contains(word))
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
