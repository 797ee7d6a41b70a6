//! Codex's own login, `auth.json` in CODEX_HOME, with Codex's locks.
//!
//! Lock order: the renewal lock of [`Place`], then `auth.lock` ([`Hold`]), then `auth.json.lock`, for the write
//! alone. Codex loses the token it has just been given when it finds `auth.json.lock` taken, so that one is never
//! taken without `auth.lock`; the types leave no other way.

use super::auth_json::{self, AuthJson, Content};
use super::lock::Lock;
use super::place::{Place, create_private};
use super::replace::{probe, replace, sweep, sync_folder, target};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::{Login, Provenance};
use crate::tokens::{Fingerprint, Grant};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Codex holds `auth.json.lock` for a write alone; whoever holds it longer is stuck.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct CodexHome {
    dir: PathBuf,
    place: Place,
}

impl CodexHome {
    pub fn new(dir: PathBuf) -> Self {
        let place = Place::new(dir.join("codex-credential"));
        Self { dir, place }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The folder in which a login by another program appears.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn auth_json(&self) -> PathBuf {
        self.dir.join("auth.json")
    }

    /// The stored ChatGPT login. Takes no lock: the file is replaced, never edited.
    ///
    /// # Errors
    /// `Storage` when the file cannot be read or understood; `LoginRequired` when it holds an API key instead.
    pub fn load(&self) -> Result<Option<Login>> {
        let path = self.auth_json();
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let document = AuthJson::parse(&bytes).map_err(|error| malformed(&path, &error))?;
        match document.content() {
            Content::ChatGpt(login) => Ok(Some(login)),
            Content::Nothing => Ok(None),
            Content::ApiKey => Err(Error::new(
                Kind::LoginRequired,
                format!("{} holds an API key, not a ChatGPT login", path.display()),
            )
            .hint("to sign in with ChatGPT as well, run: codex-credential login")),
        }
    }

    /// Which login is stored, for comparison; `None` when there is none that can be read.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.load().ok().flatten().map(|login| login.fingerprint())
    }

    /// Takes Codex's `auth.lock`, under which no other program changes the login.
    ///
    /// # Errors
    /// `Busy` when another program holds it until `deadline`.
    pub fn hold(&self, deadline: &Deadline) -> Result<Hold<'_>> {
        create_private(&self.dir)?;
        let path = self.dir.join("auth.lock");
        let lock = Lock::acquire(&path, deadline)?.ok_or_else(|| busy(&path))?;
        Ok(Hold { home: self, _auth_lock: lock })
    }
}

/// Codex's `auth.lock`, held.
pub struct Hold<'a> {
    home: &'a CodexHome,
    _auth_lock: Lock,
}

/// What a commit writes.
pub enum Change<'a> {
    Renewed(&'a Grant),
    SignedIn(&'a Grant, &'a Provenance),
}

impl Change<'_> {
    fn apply(&self, document: Option<&[u8]>) -> serde_json::Result<Vec<u8>> {
        let now = clock::timestamp().to_string();
        match self {
            Self::Renewed(grant) => auth_json::renewed(document.unwrap_or(b"{}"), grant, &now),
            Self::SignedIn(grant, from) => auth_json::signed_in(document, grant, from, &now),
        }
    }
}

impl Hold<'_> {
    /// Writes `change`, if the stored login still is the one it `replaces`; otherwise leaves the other login
    /// alone and returns false. Before a sign-in replaces a file that cannot be understood, it is set aside.
    pub fn commit(&self, replaces: Option<&Fingerprint>, change: &Change) -> Result<bool> {
        self.write(|path| {
            if self.home.fingerprint().as_ref() != replaces {
                return Ok(false);
            }
            let mut document = read(path)?;
            if let Some(bytes) = &document
                && let Err(error) = AuthJson::parse(bytes)
            {
                match change {
                    Change::Renewed(_) => return Err(malformed(path, &error)),
                    Change::SignedIn(..) => set_aside(path)?,
                }
                document = None;
            }
            let bytes = change.apply(document.as_deref().map(Vec::as_slice));
            let bytes = bytes.map_err(|error| malformed(path, &error))?;
            replace(path, &Zeroizing::new(bytes))?;
            Ok(true)
        })
    }

    /// Proves that a commit could write, before a single-use token is spent on it.
    pub fn probe(&self) -> Result<()> {
        let path = target(&self.home.auth_json());
        probe(&path).map_err(|error| Error::io("write", &path, &error))
    }

    /// Removes the login, if it is the one that was meant.
    pub fn remove(&self, meant: &Fingerprint) -> Result<bool> {
        self.write(|path| {
            if self.home.fingerprint().as_ref() != Some(meant) {
                return Ok(false);
            }
            fs::remove_file(path).map_err(|error| Error::io("remove", path, &error))?;
            let folder = path.parent().unwrap_or(Path::new("."));
            sync_folder(folder).map_err(|error| Error::io("sync", folder, &error))?;
            Ok(true)
        })
    }

    /// Runs `edit` on the file behind `auth.json`, symbolic links followed, under `auth.json.lock`.
    fn write(&self, edit: impl FnOnce(&Path) -> Result<bool>) -> Result<bool> {
        let path = target(&self.home.auth_json());
        let lock_path = path.with_extension("json.lock");
        let lock = Lock::acquire(&lock_path, &Deadline::after(WRITE_PATIENCE))?;
        let _lock = lock.ok_or_else(|| busy(&lock_path))?;
        sweep(path.parent().unwrap_or(Path::new(".")));
        edit(&path)
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// Never quotes the content: serde_json's own message may.
fn malformed(path: &Path, error: &serde_json::Error) -> Error {
    let what = if error.is_eof() { "ends too early" } else { "is not a Codex login" };
    let place = format!("line {}, column {}", error.line(), error.column());
    Error::new(Kind::Storage, format!("{} {what} ({place})", path.display()))
        .hint("to keep a copy and sign in anew, run: codex-credential login")
}

fn busy(path: &Path) -> Error {
    Error::new(Kind::Busy, format!("another program holds the lock {}", path.display()))
        .hint("try again when it is done")
}

/// Renames a file that cannot be understood to `auth.json.corrupt-TIME`, so that nothing is lost with it.
fn set_aside(path: &Path) -> Result<()> {
    let aside = format!("{}.corrupt-{}", path.display(), clock::now());
    fs::rename(path, aside).map_err(|error| Error::io("set aside", path, &error))
}
