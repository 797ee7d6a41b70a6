//! One item of the platform's keyring: Secret Service, Keychain or Credential Manager. The only user of the keyring
//! crate.
//!
//! A locked keyring waits for the user, and a stopped one never answers. So each call runs on a separate thread, and
//! the caller stops waiting at a deadline.

use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::private;
use crate::storage::files::Bytes;
use crate::storage::journal::RequestKind;
use crate::storage::lock::Lock;
use crate::threads;
use crate::tokens::Fingerprint;
use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest wait for the answer to one call.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(3);

/// The timeout of a caller that names none: one second less than Codex gives its helper.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(4);

/// The pause after each call. The keyring crate opens a connection for each call, and closes it only after the answer has
/// arrived; the keyring needs time to notice.
const PAUSE_AFTER_CALL: Duration = Duration::from_millis(30);

/// The longest value of one item, in bytes: `CRED_MAX_CREDENTIAL_BLOB_SIZE` of Credential Manager.
const MAX_LENGTH: usize = if cfg!(windows) { 2560 } else { usize::MAX };

/// Begins the value of an item whose secret is split into parts.
const PARTS: &str = "codex-credential parts ";

const SERVICE: &str = "codex-credential";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    service: String,
    user: String,
    /// The longest value that is not split, in bytes.
    max_length: usize,
    /// For one call: first for other codex-credential processes that use the keyring, then for the answer.
    timeout: Duration,
}

/// Whether this session has a keyring, locked or not.
pub fn is_available(timeout: Duration) -> bool {
    let answered = Item::own("probe", timeout).call("reach", |entry| match entry.get_secret() {
        // There is no secret service, or no bus. Every other error is the answer of a keyring.
        Err(keyring::Error::PlatformFailure(_)) => Ok(false),
        _ => Ok(true),
    });
    answered.unwrap_or(true)
}

impl Item {
    /// Returns the item in which Codex keeps the login of `codex_home`. Codex does not split values.
    pub fn of_codex(codex_home: &Path, timeout: Duration) -> Self {
        let path = codex_home.canonicalize().unwrap_or_else(|_| codex_home.to_owned());
        let hash = Fingerprint::of(path.to_string_lossy().as_bytes());
        let user = format!("cli|{}", hash.prefix(16));
        Self { service: "Codex Auth".into(), user, max_length: usize::MAX, timeout }
    }

    pub fn own(user: impl Into<String>, timeout: Duration) -> Self {
        Self { service: SERVICE.into(), user: user.into(), max_length: MAX_LENGTH, timeout }
    }

    /// Splits values longer than `max_length` bytes.
    pub fn with_max_length(self, max_length: usize) -> Self {
        Self { max_length, ..self }
    }

    /// Returns the item with the key that seals the journal of `request` for the login in this item.
    pub fn journal_key(&self, request: RequestKind) -> Self {
        let name = match request {
            RequestKind::Refresh => "journal",
            RequestKind::SignIn => "sign-in-journal",
        };
        Self::own(format!("{}|{name}", self.user), self.timeout)
    }

    /// Proves that the keyring takes writes now: writes another item and removes it.
    pub fn probe(&self) -> Result<()> {
        let item = Self::own(format!("{}|probe", self.user), self.timeout);
        item.save(b"probe")?;
        item.remove().map(drop)
    }

    /// Returns the secret; `None` when the keyring answered that there is no such item.
    pub fn load(&self) -> Result<Option<Bytes>> {
        let Some(value) = self.read()? else { return Ok(None) };
        let parts = self.parts(&value);
        if parts.is_empty() {
            return Ok(Some(value));
        }
        let mut secret = Zeroizing::new(Vec::with_capacity(parts.len() * self.max_length));
        for part in parts {
            let part =
                part.read()?.ok_or_else(|| self.failed("read", "a part of it is missing"))?;
            secret.extend_from_slice(&part);
        }
        Ok(Some(secret))
    }

    /// Writes the secret, and reads it back to prove that the keyring has stored it. The parts of a long secret are
    /// written before the item that names them, so that a reader finds all parts of one secret.
    pub fn save(&self, secret: &[u8]) -> Result<()> {
        let old = self.stored_parts()?;
        let header = self.header(secret);
        let value = header.as_ref().map_or(secret, String::as_bytes);
        let new = self.parts(value);
        for (part, bytes) in new.iter().zip(secret.chunks(self.max_length)) {
            part.write(bytes)?;
        }
        self.write(value)?;
        if self.load()?.is_none_or(|stored| *stored != secret) {
            return Err(self.failed("write", "the keyring did not store the new value"));
        }
        delete_all(old.iter().filter(|part| !new.contains(part)))
    }

    /// Removes the item. Returns false when there was none.
    pub fn remove(&self) -> Result<bool> {
        let parts = self.stored_parts()?;
        let existed = self.delete()?;
        delete_all(&parts)?;
        Ok(existed)
    }

    fn stored_parts(&self) -> Result<Vec<Self>> {
        if self.max_length == usize::MAX {
            return Ok(Vec::new());
        }
        Ok(self.read()?.map(|value| self.parts(&value)).unwrap_or_default())
    }

    /// Returns the value that names the parts of a secret; `None` for a secret that fits into one item. The names contain
    /// a hash of the secret, so that parts of two secrets are never mixed.
    fn header(&self, secret: &[u8]) -> Option<String> {
        let count = secret.len().div_ceil(self.max_length);
        (count > 1).then(|| format!("{PARTS}{} {count}", Fingerprint::of(secret).prefix(16)))
    }

    /// Returns the parts that `value` names, in order; none for a value that is a secret itself.
    fn parts(&self, value: &[u8]) -> Vec<Self> {
        let header = std::str::from_utf8(value).ok().filter(|_| self.max_length != usize::MAX);
        let header = header.and_then(|text| text.strip_prefix(PARTS)?.split_once(' '));
        let Some((hash, count)) = header else { return Vec::new() };
        let part = |number| Self { user: format!("{}|{hash}|{number}", self.user), ..self.clone() };
        (0..count.parse::<u16>().unwrap_or(0)).map(part).collect()
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

    /// Runs `operation` while no other codex-credential process uses the keyring, and waits no longer than the timeout.
    ///
    /// gnome-keyring aborts, and takes the session's keyring with it, when a client connects as another disconnects, or
    /// asks for an item that another is creating or removing. So one process at a time uses the keyring.
    fn call<T: Send + 'static>(
        &self,
        what: &str,
        operation: impl FnOnce(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Deadline::after(self.timeout);
        let _lock = self.lock_keyring(what, &deadline)?;
        let timeout = MAX_ANSWER_TIME.min(deadline.remaining());
        let (sender, receiver) = mpsc::channel();
        let item = self.clone();
        // The client library panics without its threads.
        threads::probe()?;
        threads::spawn(move || {
            let entry = keyring::Entry::new(&item.service, &item.user);
            let _ = sender.send(entry.and_then(|entry| operation(&entry)));
        })?;
        if let Ok(answer) = receiver.recv_timeout(timeout) {
            thread::sleep(PAUSE_AFTER_CALL);
            return answer.map_err(|error| self.failed(what, &error.to_string()));
        }
        let seconds = timeout.as_secs_f32();
        let reason = format!("it did not answer in {seconds:.1} s; it may be locked");
        Err(self.failed(what, &reason))
    }

    /// Takes the lock of this keyring, which is in the folder of the keyring's own socket. A session without that folder
    /// has a keyring that no other session uses.
    fn lock_keyring(&self, what: &str, deadline: &Deadline) -> Result<Option<Lock>> {
        let folder = Folders::of_user().ok().map(|it| it.runtime.unwrap_or(it.state));
        let folder = folder.filter(|folder| private::create_dir(folder).is_ok());
        let Some(folder) = folder else { return Ok(None) };
        match Lock::acquire(&folder.join("keyring.lock"), deadline)? {
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

fn delete_all<'a>(items: impl IntoIterator<Item = &'a Item>) -> Result<()> {
    items.into_iter().try_for_each(|item| item.delete().map(drop))
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keyring item \"{}\" of {}", self.service, self.user)
    }
}
