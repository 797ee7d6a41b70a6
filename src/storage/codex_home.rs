//! Codex's own login, in CODEX_HOME or in the keyring, with Codex's locks.
//!
//! Lock order: the renewal lock of [`Place`], then `auth.lock` ([`Hold`]), then `auth.json.lock`, for the write
//! alone. Codex loses the token it has just been given when it finds `auth.json.lock` taken, so that one is never
//! taken without `auth.lock`; the types leave no other way.

use super::auth_json::{self, AuthJson, Content};
use super::codex_config::{CodexConfig, Store};
use super::gist::ByGist;
use super::journal::{self, Intent, Journal, Left};
use super::keyring::{Item, Patience, is_there};
use super::lock::Lock;
use super::place::{Place, create_private};
use super::read::{Bytes, read};
use super::replace::{sweep, target};
use super::seal::Seal;
use super::spot::Spot;
use super::{Change, Glance, Hold, Storage};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::{Login, notable};
use crate::tokens::{Fingerprint, Grant};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use zeroize::Zeroizing;

#[derive(Clone, Debug)]
pub struct CodexHome {
    dir: PathBuf,
    place: Place,
    config: OnceLock<CodexConfig>,
    /// How long the keyring is waited for.
    patience: Patience,
}

impl CodexHome {
    pub fn new(dir: PathBuf, patience: Patience) -> Self {
        let place = Place::new(beside(&target(&dir.join("auth.json"))));
        Self { dir, place, config: OnceLock::new(), patience }
    }

    pub fn place(&self) -> &Place {
        &self.place
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

    fn content(&self) -> Result<Option<(Spot, Content)>> {
        let Some((spot, bytes)) = self.document()? else { return Ok(None) };
        let document = AuthJson::parse(&bytes).map_err(|error| malformed(&spot, &error))?;
        let content = document.content().map_err(|mode| unknown_mode(&spot, &mode))?;
        Ok(Some((spot, content)))
    }

    fn file(&self) -> Spot {
        Spot::File(self.dir.join("auth.json"))
    }

    fn item(&self) -> Spot {
        Spot::Keyring(Item::of_codex(&self.dir, self.patience))
    }

    /// See [`super::Opened::glance`].
    pub fn glance(&self, by_gist: ByGist) -> Result<Option<Glance>> {
        if self.config()?.store != Store::File {
            return Ok(None);
        }
        let skew = self.skew()?;
        let path = self.dir.join("auth.json");
        let found = match by_gist(&self.place, &path) {
            None => self.parsed(&path)?,
            found => found,
        };
        Ok(found.map(|found| Glance { login: Login { skew, ..found.login }, ..found }))
    }

    /// `None` where there is no ChatGPT login: whoever loads it says what is wrong with it.
    fn parsed(&self, path: &Path) -> Result<Option<Glance>> {
        let document = read(path).map_err(|error| Error::io("read", path, &error))?;
        let Some(document) = document else { return Ok(None) };
        Ok(match AuthJson::parse(&document).map(AuthJson::content) {
            Ok(Ok(Content::ChatGpt(login))) => {
                Some(Glance { login, place: self.place.clone(), document, from_gist: false })
            }
            _ => None,
        })
    }

    /// How far the issuer's clock is ahead, in seconds. It is noted after the login that it was seen with, so it is read
    /// before: no login is judged by what was seen with a later one.
    fn skew(&self) -> Result<i64> {
        Ok(self.place.skew().load()?.unwrap_or(0))
    }

    /// The document that Codex would read, and where it is.
    fn document(&self) -> Result<Option<(Spot, Bytes)>> {
        let read = |spot: Spot| spot.read().map(|bytes| bytes.map(|bytes| (spot, bytes)));
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

    fn spot_of_new_login(&self) -> Result<Spot> {
        Ok(match self.config()?.store {
            Store::Keyring => self.item(),
            Store::Auto if is_there(self.patience) => self.item(),
            Store::File | Store::Auto => self.file(),
        })
    }

    /// Where the login is, or would be.
    fn spot(&self) -> Result<Spot> {
        match self.document()? {
            Some((spot, _)) => Ok(spot),
            None => self.spot_of_new_login(),
        }
    }
}

impl Storage for CodexHome {
    fn place(&self) -> Result<Place> {
        Ok(self.place.clone())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.dir.clone()]
    }

    /// The ChatGPT login; `LoginRequired` when it is an API key.
    fn load(&self) -> Result<Option<Login>> {
        let skew = self.skew()?;
        match self.content()? {
            Some((_, Content::ChatGpt(login))) => Ok(Some(Login { skew, ..login })),
            Some((spot, Content::ApiKey(_))) => Err(Error::new(
                Kind::LoginRequired,
                format!(
                    "{spot} holds an API key, which is for api.openai.com, not a ChatGPT login"
                ),
            )
            .run("to sign in with ChatGPT instead", "codex-credential login")),
            Some((_, Content::Nothing)) | None => Ok(None),
        }
    }

    fn describe(&self) -> Result<String> {
        self.spot().map(|spot| spot.to_string())
    }

    /// Takes Codex's `auth.lock`, under which no other program changes the login.
    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn Hold + '_>> {
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
        [self.place.dir(), file.parent().unwrap_or(Path::new("."))].into_iter().for_each(sweep);
    }

    fn left(&self) -> Result<Option<Left>> {
        journal::left(&self.place.journal(), || self.spot()?.seal())
    }
}

/// Codex's `auth.lock`, held.
struct Held<'a> {
    home: &'a CodexHome,
    _auth_lock: Lock,
}

impl Change<'_> {
    fn grant(&self) -> &Grant {
        match self {
            Self::Renewed(grant) | Self::SignedIn { grant, .. } => grant,
        }
    }

    fn apply(&self, document: Option<&[u8]>) -> serde_json::Result<Vec<u8>> {
        let now = clock::timestamp().to_string();
        match self {
            Self::Renewed(grant) => auth_json::renewed(document.unwrap_or(b"{}"), grant, &now),
            Self::SignedIn { grant, by, .. } => auth_json::signed_in(document, grant, by, &now),
        }
    }
}

impl Hold for Held<'_> {
    fn probe(&self) -> Result<()> {
        self.seal().map(drop)
    }

    fn begin(&self, intent: &Intent) -> Result<Option<Journal>> {
        let seal = self.seal()?;
        Journal::begin(&self.home.place.journal(), intent, seal).map(Some)
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
            Some((spot, bytes)) => match (understood(&bytes), change) {
                (Ok(_), _) => (Some(spot), Some(bytes)),
                (Err(error), Change::Renewed(_)) => return Err(malformed(&spot, &error)),
                (Err(_), Change::SignedIn { .. }) => {
                    spot.set_aside()?;
                    (None, None)
                }
            },
        };
        let bytes = change.apply(old.as_deref().map(Vec::as_slice));
        let bytes = Zeroizing::new(bytes.map_err(|error| malformed(&self.home.file(), &error))?);
        if let (Change::Renewed(_), Some(spot)) = (change, found) {
            spot.write(&bytes)?;
            self.note_skew(change.grant().skew)?;
            return Ok(true);
        }
        let spot = self.home.spot_of_new_login()?;
        spot.write(&bytes)?;
        self.note_skew(change.grant().skew)?;
        if spot != self.home.file() {
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
        self.home.place.forget()?;
        self.home.place.pinned().remove()?;
        let from_keyring = match self.home.config()?.store {
            Store::File => false,
            Store::Keyring => self.home.item().remove()?,
            Store::Auto => is_there(self.home.patience) && self.home.item().remove()?,
        };
        let removed = self.home.file().remove()? || from_keyring;
        self.home.place.forget_gist();
        Ok(removed)
    }
}

impl Held<'_> {
    /// Proves that [`Hold::commit`] could write. Its lock may be taken now; that passes.
    fn seal(&self) -> Result<Option<Seal>> {
        Lock::try_acquire(&self.write_lock())?;
        self.home.spot()?.probe()
    }

    /// Codex's document has no room for it. Noted once the login is there: the one before would be judged by it, too, and
    /// whoever waits for a token would get that one.
    fn note_skew(&self, skew: Option<i64>) -> Result<()> {
        let record = self.home.place.skew();
        match skew.map(|skew| notable(Some(skew))) {
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
fn malformed(spot: &Spot, error: &serde_json::Error) -> Error {
    let what = if error.is_eof() { "ends too early" } else { "is not a Codex login" };
    let place = format!("line {}, column {}", error.line(), error.column());
    Error::new(Kind::Storage, format!("{spot} {what} ({place})"))
        .run("to keep a copy and sign in anew", "codex-credential login")
}

fn unknown_mode(spot: &Spot, mode: &str) -> Error {
    let known = mode.len() <= 32 && mode.bytes().all(|byte| byte.is_ascii_graphic());
    let mode = if known { mode } else { "not a word" };
    let what = format!("{spot} holds a kind of login that this version does not know ({mode:?})");
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
