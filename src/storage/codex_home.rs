//! Finds and reads Codex's login: the file `auth.json` in `CODEX_HOME`, or an item of the keyring.

use crate::error::{Error, Kind, Result};
use crate::login::{Login, significant_skew};
use crate::storage::CachedLogin;
use crate::storage::auth_json::{AuthJson, Content, Contents};
use crate::storage::codex_config::{CodexConfig, Store};
use crate::storage::files::{Bytes, follow_links, read};
use crate::storage::keyring::{Item, is_available};
use crate::storage::location::Location;
use crate::storage::login_dir::LoginDir;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct CodexHome {
    dir: PathBuf,
    login_dir: LoginDir,
    config: OnceLock<CodexConfig>,
    keyring_timeout: Duration,
}

impl CodexHome {
    pub fn new(dir: PathBuf, keyring_timeout: Duration) -> Self {
        let login_dir = LoginDir::new(login_dir_beside(&follow_links(&dir.join("auth.json"))));
        Self { dir, login_dir, config: OnceLock::new(), keyring_timeout }
    }

    pub fn login_dir(&self) -> &LoginDir {
        &self.login_dir
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns where a link at `auth.json` leads, or `auth.json` itself.
    pub fn linked_file(&self) -> PathBuf {
        follow_links(&self.dir.join("auth.json"))
    }

    /// Returns Codex's configuration. It is read once.
    pub fn config(&self) -> Result<&CodexConfig> {
        match self.config.get() {
            Some(config) => Ok(config),
            None => CodexConfig::load(&self.dir).map(|config| self.config.get_or_init(|| config)),
        }
    }

    /// Returns the login from files alone, without a lock or the keyring.
    pub fn read_cached(&self) -> Result<Option<CachedLogin>> {
        if self.config()?.store != Store::File {
            return Ok(None);
        }
        // Not by `load_login`, which would link the keyring into the answering program.
        let skew = self.skew();
        let Some(document) = read_login(&self.dir.join("auth.json"))? else { return Ok(None) };
        let contents = AuthJson::parse(&document).map(AuthJson::contents);
        Ok(match contents.map(|contents| contents.map(|contents| contents.used)) {
            Ok(Ok(Content::ChatGpt(login) | Content::PersonalAccessToken(login))) => {
                let login = Login { skew, ..login };
                Some(CachedLogin { login, login_dir: self.login_dir.clone() })
            }
            _ => None,
        })
    }

    /// Returns the ChatGPT login, or the personal access token as one.
    ///
    /// # Errors
    /// `LoginRequired` when Codex uses an API key instead; `LoginUnreadable` for another kind of login.
    pub fn load_login(&self) -> Result<Option<Login>> {
        let skew = self.skew();
        let Some((location, contents)) = self.contents()? else { return Ok(None) };
        match contents.used {
            Content::ChatGpt(login) | Content::PersonalAccessToken(login) => {
                Ok(Some(Login { skew, ..login }))
            }
            Content::ApiKey(_) => Err(holds_api_key(&location, contents.unused.as_deref())),
            Content::Nothing => Ok(None),
        }
    }

    /// Returns the API key, as the access token of a login without other tokens.
    pub fn load_api_key(&self) -> Result<Option<Login>> {
        match self.contents()? {
            Some((_, Contents { used: Content::ApiKey(login), .. })) => Ok(Some(login)),
            _ => Ok(None),
        }
    }

    /// Whether Codex's login is a personal access token, which is not renewed.
    pub fn has_personal_access_token(&self) -> bool {
        let contents = self.contents().ok().flatten();
        contents.is_some_and(|it| matches!(it.1.used, Content::PersonalAccessToken(_)))
    }

    /// Returns what Codex's login holds, and where.
    pub fn contents(&self) -> Result<Option<(Location, Contents)>> {
        let Some((location, bytes)) = self.document()? else { return Ok(None) };
        let document =
            AuthJson::parse(&bytes).map_err(|error| damaged(&location, &bytes, &error))?;
        let contents = document.contents().map_err(|mode| other_kind(&location, &mode))?;
        Ok(Some((location, contents)))
    }

    /// Returns how far the server's clock is ahead, in seconds. A commit records it after the login, so it must be read
    /// before the login: a login is never judged by the skew of an older one.
    fn skew(&self) -> i64 {
        // One that cannot be read, such as that of another user, must not keep a good token back.
        significant_skew(self.login_dir.skew().load().ok().flatten())
    }

    /// Returns the document that Codex would read, and its location.
    pub fn document(&self) -> Result<Option<(Location, Bytes)>> {
        let read = |location: Location| {
            let bytes = match &location {
                Location::File(path) => read_login(path),
                Location::Keyring { .. } => location.read(),
            };
            bytes.map(|bytes| bytes.map(|bytes| (location, bytes)))
        };
        match self.config()?.store {
            Store::File => read(self.file()),
            Store::Keyring => read(self.keyring_item()),
            Store::Auto => match read(self.keyring_item()) {
                Ok(Some(found)) => Ok(Some(found)),
                Ok(None) => read(self.file()),
                // Codex falls back to the file. Without a file, a locked keyring may hold a login, and a sign-in
                // would store a second one.
                Err(error) => match read(self.file())? {
                    None if self.has_keyring() => Err(error),
                    found => Ok(found),
                },
            },
        }
    }

    /// Returns where the login is, or where a sign-in would store it.
    pub fn location(&self) -> Result<Location> {
        match self.document()? {
            Some((location, _)) => Ok(location),
            None => self.location_of_new_login(),
        }
    }

    /// Returns where Codex would store a new login.
    pub fn location_of_new_login(&self) -> Result<Location> {
        Ok(self.locations()?.swap_remove(0))
    }

    /// Returns every location in which Codex would look for a login. It stores a new one in the first.
    pub fn locations(&self) -> Result<Vec<Location>> {
        let in_keyring = match self.config()?.store {
            Store::Keyring => true,
            Store::Auto => self.has_keyring(),
            Store::File => false,
        };
        let keyring = in_keyring.then(|| self.keyring_item());
        Ok(keyring.into_iter().chain([self.file()]).collect())
    }

    pub fn file(&self) -> Location {
        Location::File(self.dir.join("auth.json"))
    }

    fn keyring_item(&self) -> Location {
        Location::Keyring { item: Item::of_codex(&self.dir, self.keyring_timeout), copy: None }
    }

    fn has_keyring(&self) -> bool {
        is_available(self.keyring_timeout)
    }
}

fn holds_api_key(location: &Location, unused: Option<&str>) -> Error {
    let unused = unused.map(|unused| format!(", and {unused}, which Codex does not use"));
    let unused = unused.unwrap_or_default();
    let message = format!("{location} holds an API key, which is for api.openai.com{unused}");
    Error::new(Kind::LoginRequired, message)
        .run("to sign in with ChatGPT instead", "codex-credential login")
}

/// The error for a document that cannot be parsed. It quotes nothing of `error`, which may contain a secret.
pub fn malformed(location: &Location, error: &serde_json::Error) -> Error {
    let what = if error.is_eof() { "ends too early" } else { "is not a Codex login" };
    let position = format!("line {}, column {}", error.line(), error.column());
    unreadable(format!("{location} {what} ({position})"))
}

fn damaged(location: &Location, bytes: &[u8], error: &serde_json::Error) -> Error {
    match bytes {
        _ if location.is_special() => {
            Error::new(Kind::Storage, format!("{location} is not a regular file"))
        }
        [] => unreadable(format!("{location} is empty")),
        [0xef, 0xbb, 0xbf, ..] => unreadable(format!(
            "{location} begins with a byte order mark, which Codex does not read"
        )),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..] => {
            unreadable(format!("{location} is UTF-16, which Codex does not read"))
        }
        _ => malformed(location, error),
    }
}

fn unreadable(message: String) -> Error {
    Error::new(Kind::LoginUnreadable, message)
        .run("to keep a copy and sign in again", "codex-credential login")
}

fn other_kind(location: &Location, mode: &str) -> Error {
    let is_printable = mode.len() <= 32 && mode.bytes().all(|byte| byte.is_ascii_graphic());
    let kind = match mode {
        "agentIdentity" => "an agent identity, whose requests Codex signs".to_owned(),
        "chatgptAuthTokens" => "tokens that another program gives to Codex and renews".to_owned(),
        mode if is_printable => format!("a login of an unknown kind (auth_mode {mode:?})"),
        _ => "a login of an unknown kind".to_owned(),
    };
    Error::new(Kind::LoginUnreadable, format!("{location} holds {kind}; it cannot be shared"))
        .run("to sign in with ChatGPT instead", "codex-credential login")
}

/// Reads `auth.json`. Container tools create a folder at the source of a bind mount that does not exist.
fn read_login(path: &Path) -> Result<Option<Bytes>> {
    read(path).map_err(|error| if path.is_dir() { is_folder(path) } else { error })
}

fn is_folder(path: &Path) -> Error {
    let shown = path.display();
    let what = match mount_source(path) {
        Some(source) => {
            format!("{shown} is a folder: {source}, which is mounted there, did not exist")
        }
        None => format!("{shown} is a folder, not a login"),
    };
    Error::new(Kind::Configuration, what).hint(
        "a container tool creates a folder where the source of a mount is missing; remove the folder, sign in \
         there, and mount CODEX_HOME instead of auth.json",
    )
}

/// Returns the source of the mount at `path`, as its file system names it.
fn mount_source(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let path = path.canonicalize().ok()?;
    // The root of the mount in its file system is the fourth field, the mount point the fifth (proc(5)).
    let mut mounts = mounts.lines().rev().map(|line| line.split(' ').skip(3));
    mounts.find_map(|mut fields| {
        let (root, point) = (fields.next()?, fields.next()?);
        (Path::new(point) == path).then(|| root.to_owned())
    })
}

/// Returns the login directory beside `file`, which is no link, so that two homes that link to one file share it.
fn login_dir_beside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default();
    if name == "auth.json" {
        return file.with_file_name("codex-credential");
    }
    let mut folder = name.to_owned();
    folder.push(".codex-credential");
    file.with_file_name(folder)
}
