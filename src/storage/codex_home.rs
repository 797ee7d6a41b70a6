//! Codex's own login, in CODEX_HOME or in the keyring, with Codex's locks.
//!
//! Lock order: the renewal lock of [`LoginDir`], then `auth.lock` ([`HeldLogin`]), then `auth.json.lock`, for the write
//! alone. Codex loses the token it has just been given when it finds `auth.json.lock` taken, so that one is never
//! taken without `auth.lock`; the types leave no other way.

use crate::clock::{self, Deadline};
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::login::{Login, significant_skew};
use crate::storage::auth_json::{self, AuthJson, Content};
use crate::storage::codex_config::{CodexConfig, Store};
use crate::storage::files::{sweep, target};
use crate::storage::files_read::{Bytes, read};
use crate::storage::journal::{self, Intent, Journal, Unfinished};
use crate::storage::keyring::{Item, KeyringTimeouts, is_there};
use crate::storage::location::Location;
use crate::storage::lock::Lock;
use crate::storage::login_dir::{LoginDir, create_private};
use crate::storage::seal::Seal;
use crate::storage::{CachedLogin, Change, HeldLogin, Storage};
use crate::tokens::{Fingerprint, TokenResponse};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use zeroize::Zeroizing;

#[derive(Clone, Debug)]
pub struct CodexHome {
    dir: PathBuf,
    login_dir: LoginDir,
    config: OnceLock<CodexConfig>,
    /// How long the keyring is waited for.
    patience: KeyringTimeouts,
}

impl CodexHome {
    pub fn new(dir: PathBuf, patience: KeyringTimeouts) -> Self {
        let login_dir = LoginDir::new(beside(&target(&dir.join("auth.json"))));
        Self { dir, login_dir, config: OnceLock::new(), patience }
    }

    pub fn login_dir(&self) -> &LoginDir {
        &self.login_dir
    }

    /// CODEX_HOME itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// As it was when this process first looked.
    pub fn config(&self) -> Result<&CodexConfig> {
        match self.config.get() {
            Some(config) => Ok(config),
            None => CodexConfig::load(&self.dir).map(|config| self.config.get_or_init(|| config)),
        }
    }

    /// The stored API key, in the form of a login that has nothing else.
    pub fn load_api_key(&self) -> Result<Option<Login>> {
        match self.content()? {
            Some((_, Content::ApiKey(login))) => Ok(Some(login)),
            _ => Ok(None),
        }
    }

    fn content(&self) -> Result<Option<(Location, Content)>> {
        let Some((location, bytes)) = self.document()? else { return Ok(None) };
        let document = AuthJson::parse(&bytes).map_err(|error| malformed(&location, &error))?;
        let content = document.content().map_err(|mode| unknown_mode(&location, &mode))?;
        Ok(Some((location, content)))
    }

    fn file(&self) -> Location {
        Location::File(self.dir.join("auth.json"))
    }

    fn item(&self) -> Location {
        Location::Keyring(Item::of_codex(&self.dir, self.patience))
    }

    /// Returns the login as files alone tell it; takes no lock and asks no keyring.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        if self.config()?.store != Store::File {
            return Ok(None);
        }
        let skew = self.skew()?;
        let path = self.dir.join("auth.json");
        let document = read(&path).context("read", &path)?;
        let Some(document) = document else { return Ok(None) };
        Ok(match AuthJson::parse(&document).map(AuthJson::content) {
            Ok(Ok(Content::ChatGpt(login))) => Some(CachedLogin {
                login: Login { skew, ..login },
                login_dir: self.login_dir.clone(),
            }),
            _ => None,
        })
    }

    /// How far the issuer's clock is ahead, in seconds. It is noted after the login that it was seen with, so it is read
    /// before: no login is judged by what was seen with a later one.
    fn skew(&self) -> Result<i64> {
        Ok(self.login_dir.skew().load()?.unwrap_or(0))
    }

    /// The document that Codex would read, and where it is.
    fn document(&self) -> Result<Option<(Location, Bytes)>> {
        let read =
            |location: Location| location.read().map(|bytes| bytes.map(|bytes| (location, bytes)));
        match self.config()?.store {
            Store::File => read(self.file()),
            Store::Keyring => read(self.item()),
            Store::Auto => match read(self.item()) {
                Ok(Some(found)) => Ok(Some(found)),
                Ok(None) => read(self.file()),
                // Codex takes the file then. Where there is none, a locked keyring may hold a login, and a
                // second one beside it would be one too many.
                Err(error) => match read(self.file())? {
                    None if is_there(self.patience) => Err(error),
                    found => Ok(found),
                },
            },
        }
    }

    fn spot_of_new_login(&self) -> Result<Location> {
        Ok(match self.config()?.store {
            Store::Keyring => self.item(),
            Store::Auto if is_there(self.patience) => self.item(),
            Store::File | Store::Auto => self.file(),
        })
    }

    /// Where the login is, or would be.
    fn location(&self) -> Result<Location> {
        match self.document()? {
            Some((location, _)) => Ok(location),
            None => self.spot_of_new_login(),
        }
    }
}

impl Storage for CodexHome {
    fn login_dir(&self) -> Result<LoginDir> {
        Ok(self.login_dir.clone())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.dir.clone()]
    }

    /// The ChatGPT login; `LoginRequired` when it is an API key.
    fn load(&self) -> Result<Option<Login>> {
        let skew = self.skew()?;
        match self.content()? {
            Some((_, Content::ChatGpt(login))) => Ok(Some(Login { skew, ..login })),
            Some((location, Content::ApiKey(_))) => Err(Error::new(
                Kind::LoginRequired,
                format!(
                    "{location} holds an API key, which is for api.openai.com, not a ChatGPT login"
                ),
            )
            .run("to sign in with ChatGPT instead", "codex-credential login")),
            Some((_, Content::Nothing)) | None => Ok(None),
        }
    }

    fn describe(&self) -> Result<String> {
        self.location().map(|location| location.to_string())
    }

    /// Takes Codex's `auth.lock`, under which no other program changes the login.
    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        create_private(&self.dir)?;
        let path = self.dir.join("auth.lock");
        let lock = Lock::acquire(&path, deadline)?.ok_or_else(|| busy(&path))?;
        Ok(Box::new(Held { home: self, _auth_lock: lock }))
    }

    fn holder(&self) -> Option<String> {
        let path = self.dir.join("auth.lock");
        Lock::holder(&path).map(|holder| format!("{holder} holds the lock {}", path.display()))
    }

    fn sweep(&self) {
        let file = target(&self.dir.join("auth.json"));
        [self.login_dir.dir(), file.parent().unwrap_or(Path::new("."))].into_iter().for_each(sweep);
    }

    fn left(&self) -> Result<Option<Unfinished>> {
        journal::left(&self.login_dir.journal(), || self.location()?.seal())
    }
}

/// Codex's `auth.lock`, held.
struct Held<'a> {
    home: &'a CodexHome,
    _auth_lock: Lock,
}

impl Change<'_> {
    fn tokens(&self) -> &TokenResponse {
        match self {
            Self::Renewed(tokens) | Self::SignedIn { tokens, .. } => tokens,
        }
    }

    fn apply(&self, document: Option<&[u8]>) -> serde_json::Result<Vec<u8>> {
        let now = clock::timestamp().to_string();
        match self {
            Self::Renewed(tokens) => auth_json::renewed(document.unwrap_or(b"{}"), tokens, &now),
            Self::SignedIn { tokens, by, .. } => auth_json::signed_in(document, tokens, by, &now),
        }
    }
}

impl HeldLogin for Held<'_> {
    fn probe(&self) -> Result<()> {
        self.seal().map(drop)
    }

    fn begin(&self, intent: &Intent) -> Result<Option<Journal>> {
        let seal = self.seal()?;
        Journal::begin(&self.home.login_dir.journal(), intent, seal).map(Some)
    }

    /// A renewal goes where the login was; a sign-in where Codex would put it, and before it replaces a file that
    /// cannot be understood, that file is set aside.
    fn commit(
        &self,
        replaces: Option<&Fingerprint>,
        change: &Change,
        deadline: &Deadline,
    ) -> Result<bool> {
        let _lock = self.lock_write(deadline)?;
        let stored = match self.home.load() {
            // An API key is another login; what cannot be understood is replaced by a sign-in alone.
            Err(error) if error.kind == Kind::LoginRequired => None,
            Err(_) if replaces.is_none() && matches!(change, Change::SignedIn { .. }) => None,
            loaded => loaded?.map(|login| login.fingerprint()),
        };
        if stored.as_ref() != replaces {
            return Ok(false);
        }
        let found = self.home.document()?;
        let understood = |bytes: &Bytes| AuthJson::parse(bytes);
        let (found, old) = match found {
            None => (None, None),
            Some((location, bytes)) => match (understood(&bytes), change) {
                (Ok(_), _) => (Some(location), Some(bytes)),
                (Err(error), Change::Renewed(_)) => return Err(malformed(&location, &error)),
                (Err(_), Change::SignedIn { .. }) => {
                    location.set_aside()?;
                    (None, None)
                }
            },
        };
        let bytes = change.apply(old.as_deref().map(Vec::as_slice));
        let bytes = Zeroizing::new(bytes.map_err(|error| malformed(&self.home.file(), &error))?);
        if let (Change::Renewed(_), Some(location)) = (change, found) {
            location.write(&bytes)?;
            self.note_skew(change.tokens().skew)?;
            return Ok(true);
        }
        let location = self.home.spot_of_new_login()?;
        location.write(&bytes)?;
        self.note_skew(change.tokens().skew)?;
        if location != self.home.file() {
            // As Codex does: the keyring's login is the only one from here on.
            self.home.file().remove()?;
        }
        Ok(true)
    }

    /// From wherever Codex would look for one.
    fn remove(&self, is_meant: &dyn Fn(&Login) -> bool, deadline: &Deadline) -> Result<bool> {
        let _lock = self.lock_write(deadline)?;
        if !self.home.load()?.is_some_and(|login| is_meant(&login)) {
            return Ok(false);
        }
        self.home.login_dir.forget()?;
        self.home.login_dir.pinned().remove()?;
        let from_keyring = match self.home.config()?.store {
            Store::File => false,
            Store::Keyring => self.home.item().remove()?,
            Store::Auto => is_there(self.home.patience) && self.home.item().remove()?,
        };
        Ok(self.home.file().remove()? || from_keyring)
    }
}

impl Held<'_> {
    /// Proves that [`HeldLogin::commit`] could write. Its lock may be taken now; that passes.
    fn seal(&self) -> Result<Option<Seal>> {
        Lock::try_acquire(&self.write_lock())?;
        self.home.location()?.probe()
    }

    /// Codex's document has no room for it. Noted once the login is there: the one before would be judged by it, too, and
    /// whoever waits for a token would get that one.
    fn note_skew(&self, skew: Option<i64>) -> Result<()> {
        let record = self.home.login_dir.skew();
        match skew.map(|skew| significant_skew(Some(skew))) {
            Some(0) => record.remove(),
            Some(skew) => record.save(&skew),
            None => Ok(()),
        }
    }

    /// Codex's second lock lies beside the file that is written, symbolic links followed.
    fn write_lock(&self) -> PathBuf {
        let path = target(&self.home.dir.join("auth.json"));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        path.with_file_name(name)
    }

    fn lock_write(&self, deadline: &Deadline) -> Result<Lock> {
        let path = self.write_lock();
        Lock::acquire(&path, deadline)?.ok_or_else(|| busy(&path))
    }
}

/// Never quotes the content: serde_json's own message may.
fn malformed(location: &Location, error: &serde_json::Error) -> Error {
    let what = if error.is_eof() { "ends too early" } else { "is not a Codex login" };
    let login_dir = format!("line {}, column {}", error.line(), error.column());
    Error::new(Kind::Storage, format!("{location} {what} ({login_dir})"))
        .run("to keep a copy and sign in anew", "codex-credential login")
}

fn unknown_mode(location: &Location, mode: &str) -> Error {
    let known = mode.len() <= 32 && mode.bytes().all(|byte| byte.is_ascii_graphic());
    let mode = if known { mode } else { "not a word" };
    let what =
        format!("{location} holds a kind of login that this version does not know ({mode:?})");
    Error::new(Kind::Storage, what)
        .run("it was left alone; to sign in with ChatGPT instead", "codex-credential login")
}

/// The folder that protects the login in `file`: beside the file itself, so that two homes that link to one
/// file meet there.
fn beside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default();
    if name == "auth.json" {
        return file.with_file_name("codex-credential");
    }
    let mut folder = name.to_owned();
    folder.push(".codex-credential");
    file.with_file_name(folder)
}

fn busy(path: &Path) -> Error {
    let holder = Lock::holder(path).unwrap_or_else(|| "another program".into());
    Error::new(Kind::Busy, format!("{holder} holds the lock {}", path.display()))
        .hint("try again when it is done")
}
