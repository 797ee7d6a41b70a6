//! One item of the platform's keyring: Secret Service, Keychain or Credential Manager. The only user of the keyring
//! crate.
//!
//! A locked keyring waits for the user, and a stopped one never answers. So each call runs on a separate thread, and
//! the caller stops waiting at a deadline.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::storage::files::Bytes;
use crate::storage::journal::Request;
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

/// The longest wait for the answer to one call.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(3);

/// How long a caller waits for the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyringTimeouts {
    /// For the keyring's answer to one call.
    pub answer: Duration,
    /// For one call in all: first for other codex-credential processes that use the keyring, then for the answer.
    pub call: Duration,
}

impl KeyringTimeouts {
    /// Returns the timeouts of a caller that waits for `wait`.
    pub fn of(wait: Duration) -> Self {
        Self { answer: wait.min(MAX_ANSWER_TIME), call: wait }
    }

    pub fn at_most(self, limit: Duration) -> Self {
        Self { answer: self.answer.min(limit), call: self.call.min(limit) }
    }
}

impl Default for KeyringTimeouts {
    /// One second less than Codex gives its helper.
    fn default() -> Self {
        Self::of(Duration::from_secs(4))
    }
}

/// The pause after each call. The keyring crate opens a connection for each call, and closes it only after the answer has
/// arrived; the keyring needs time to notice.
const PAUSE_AFTER_CALL: Duration = Duration::from_millis(10);

/// The longest value of one item, in bytes: `CRED_MAX_CREDENTIAL_BLOB_SIZE` of Credential Manager.
const MAX_LENGTH: usize = if cfg!(windows) { 2560 } else { usize::MAX };

/// The service name of this program's items.
const SERVICE: &str = "codex-credential";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    service: String,
    user: String,
    /// The longest value that is not split, in bytes.
    max_length: usize,
    timeouts: KeyringTimeouts,
}

/// Whether this session has a keyring, locked or not.
pub fn is_available(timeouts: KeyringTimeouts) -> bool {
    let answered = Item::own("probe", timeouts).call("reach", |entry| match entry.get_secret() {
        // There is no secret service, or no bus. Every other error is the answer of a keyring.
        Err(keyring::Error::PlatformFailure(_)) => Ok(false),
        _ => Ok(true),
    });
    answered.unwrap_or(true)
}

impl Item {
    /// Returns the item in which Codex keeps the login of `codex_home`. Codex does not split values.
    pub fn of_codex(codex_home: &Path, timeouts: KeyringTimeouts) -> Self {
        let path = codex_home.canonicalize().unwrap_or_else(|_| codex_home.to_owned());
        let hash = Fingerprint::of(path.to_string_lossy().as_bytes());
        let user = format!("cli|{}", hash.prefix(16));
        Self { service: "Codex Auth".into(), user, max_length: usize::MAX, timeouts }
    }

    /// Returns an item of this program.
    pub fn own(user: impl Into<String>, timeouts: KeyringTimeouts) -> Self {
        Self { service: SERVICE.into(), user: user.into(), max_length: MAX_LENGTH, timeouts }
    }

    /// Splits values longer than `max_length` bytes.
    pub fn with_max_length(self, max_length: usize) -> Self {
        Self { max_length, ..self }
    }

    /// Returns the item with the key that seals the journal of `request` for the login in this item.
    pub fn journal_key(&self, request: Request) -> Self {
        let name = match request {
            Request::Refresh => "journal",
            Request::SignIn => "sign-in-journal",
        };
        Self::own(format!("{}|{name}", self.user), self.timeouts)
    }

    /// Proves that the keyring takes writes now: writes another item and removes it.
    pub fn probe(&self) -> Result<()> {
        let item = Self::own(format!("{}|probe", self.user), self.timeouts);
        item.save(b"probe")?;
        item.remove().map(drop)
    }

    /// Returns the secret; `None` when the keyring answered that there is no such item.
    pub fn load(&self) -> Result<Option<Bytes>> {
        let Some(value) = self.read()? else { return Ok(None) };
        let Some(header) = self.header(&value) else { return Ok(Some(value)) };
        let mut secret = Zeroizing::new(Vec::new());
        for part in self.parts(&header) {
            let part =
                part.read()?.ok_or_else(|| self.failed("read", "a part of it is missing"))?;
            secret.extend_from_slice(&part);
        }
        Ok(Some(secret))
    }

    /// Writes the secret, and reads it back to prove that the keyring has stored it.
    pub fn save(&self, secret: &[u8]) -> Result<()> {
        let old = self.stored_header()?;
        let new = Header::of(secret, self.max_length);
        match &new {
            None => self.write(secret)?,
            Some(header) => {
                for (part, bytes) in self.parts(header).zip(secret.chunks(self.max_length)) {
                    part.write(bytes)?;
                }
                self.write(&header.value())?;
            }
        }
        match self.load()? {
            Some(read) if *read == secret => {}
            _ => return Err(self.failed("write", "the keyring did not store the new value")),
        }
        self.delete_parts(old.as_ref().filter(|old| new.as_ref() != Some(old)))
    }

    /// Removes the item. Returns false when there was none.
    pub fn remove(&self) -> Result<bool> {
        let header = self.stored_header()?;
        let existed = self.delete()?;
        self.delete_parts(header.as_ref())?;
        Ok(existed)
    }

    fn delete_parts(&self, header: Option<&Header>) -> Result<()> {
        let mut parts = header.into_iter().flat_map(|header| self.parts(header));
        parts.try_for_each(|part| part.delete().map(drop))
    }

    /// Reads which parts the stored secret has.
    fn stored_header(&self) -> Result<Option<Header>> {
        if self.max_length == usize::MAX {
            return Ok(None);
        }
        Ok(self.read()?.and_then(|value| self.header(&value)))
    }

    fn header(&self, value: &[u8]) -> Option<Header> {
        if self.max_length == usize::MAX { None } else { Header::parse(value) }
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
        self.call("remove", |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// Runs `operation` while no other codex-credential process uses the keyring, and waits no longer than the timeouts.
    ///
    /// gnome-keyring aborts, and takes the session's keyring with it, when a client connects as another disconnects, or
    /// asks for an item that another is creating or removing. So one process at a time uses the keyring.
    fn call<T: Send + 'static>(
        &self,
        what: &str,
        operation: impl Fn(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Deadline::after(self.timeouts.call);
        let _lock = self.lock_keyring(what, &deadline)?;
        let timeout = self.timeouts.answer.min(deadline.remaining());
        let answer = self.answer_within(timeout, operation);
        if answer.is_some() {
            thread::sleep(PAUSE_AFTER_CALL);
        }
        match answer {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.failed(what, &reason(&error))),
            None => {
                let seconds = timeout.as_secs_f32();
                let reason = format!("it did not answer in {seconds:.1} s; it may be locked");
                Err(self.failed(what, &reason))
            }
        }
    }

    /// Runs `operation` on a separate thread. `None` when it takes longer than `timeout`.
    fn answer_within<T: Send + 'static>(
        &self,
        timeout: Duration,
        operation: impl Fn(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Option<keyring::Result<T>> {
        let (sender, receiver) = mpsc::channel();
        let item = self.clone();
        thread::spawn(move || {
            let entry = keyring::Entry::new(&item.service, &item.user);
            let _ = sender.send(entry.and_then(|entry| retry_vanished(|| operation(&entry))));
        });
        receiver.recv_timeout(timeout).ok()
    }

    /// Takes the lock of this keyring; `None` without a runtime folder.
    fn lock_keyring(&self, what: &str, deadline: &Deadline) -> Result<Option<Lock>> {
        let Some(path) = lock_path() else { return Ok(None) };
        match Lock::acquire(&path, deadline)? {
            None => Err(self.failed(what, "other processes are using the keyring")),
            lock => Ok(lock),
        }
    }

    fn failed(&self, what: &str, reason: &str) -> Error {
        let alternative = if self.service == SERVICE {
            "choose another storage, such as \"file\""
        } else {
            "set cli_auth_credentials_store = \"file\" in Codex's config.toml and sign in again"
        };
        Error::new(Kind::Storage, format!("cannot {what} {self}: {reason}")).hint(format!(
            "unlock the keyring (log in to the desktop, or run gnome-keyring-daemon --unlock), or {alternative}"
        ))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keyring item \"{}\" of {}", self.service, self.user)
    }
}

/// The lock file is in the folder of the keyring's own socket. A session without that folder has a keyring that no other
/// session uses.
fn lock_path() -> Option<PathBuf> {
    let folder = Folders::of_user().ok()?.runtime?;
    create_private(&folder).ok()?;
    Some(folder.join("keyring.lock"))
}

/// Repeats `operation` when its item vanishes: the keyring crate finds an item and then asks for its secret, and another
/// process may remove the item in between.
fn retry_vanished<T>(operation: impl Fn() -> keyring::Result<T>) -> keyring::Result<T> {
    const MAX_ATTEMPTS: u32 = 10;
    let mut attempts = 1;
    loop {
        match operation() {
            Err(error) if has_vanished(&error) && attempts < MAX_ATTEMPTS => attempts += 1,
            result => return result,
        }
    }
}

/// Recognizes the D-Bus and Secret Service errors for a missing object by name, because the crate has no variant for them.
fn has_vanished(error: &keyring::Error) -> bool {
    const NAMES: [&str; 3] = ["UnknownMethod", "UnknownObject", "NoSuchObject"];
    let (keyring::Error::PlatformFailure(error) | keyring::Error::NoStorageAccess(error)) = error
    else {
        return false;
    };
    let text = error.to_string();
    NAMES.iter().any(|name| text.contains(name))
}

/// Returns the crate's own text, without a value that it may quote.
fn reason(error: &keyring::Error) -> String {
    match error {
        keyring::Error::BadEncoding(_) => "the item is not text".into(),
        keyring::Error::NoStorageAccess(error) | keyring::Error::PlatformFailure(error) => {
            error.to_string()
        }
        keyring::Error::Ambiguous(items) => {
            format!("{} items have this name; remove all but one", items.len())
        }
        error => error.to_string(),
    }
}
