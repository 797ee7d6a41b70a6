//! What Codex's configuration says about the login: where it is kept, and which one is allowed.
//!
//! Of two files that set a key, the upper one wins:
//!
//! ```text
//! /etc/codex/requirements.toml     (not for the forced_… keys)
//! /etc/codex/managed_config.toml
//! $CODEX_HOME/config.toml
//! /etc/codex/config.toml
//! ```
//!
//! A project's own `.codex/config.toml` counts for Codex in that project alone; one login for the whole machine
//! cannot depend on the folder from which it is asked for, so it is not read.

use crate::error::{Error, Kind, Result};
use crate::storage::files_read::read;
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::Path;

const SYSTEM: &str = "/etc/codex";

/// Any of these in a file, and it is parsed; without them it says nothing about the login.
const KEYS: [&str; 4] = [
    "cli_auth_credentials_store",
    "secret_auth_storage",
    "forced_login_method",
    "forced_chatgpt_workspace_id",
];

/// Where Codex keeps the login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    #[default]
    File,
    Keyring,
    /// The keyring if it works, else the file.
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    ChatGpt,
    Api,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodexConfig {
    pub store: Store,
    pub login_method: Option<Method>,
    /// The workspaces that a login may be for; any where there are none.
    pub workspaces: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Default, Deserialize)]
struct Layer {
    cli_auth_credentials_store: Option<String>,
    forced_login_method: Option<Method>,
    forced_chatgpt_workspace_id: Option<OneOrMany>,
    features: Option<Features>,
}

#[derive(Clone, Debug, Deserialize)]
struct Features {
    secret_auth_storage: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl CodexConfig {
    /// # Errors
    /// `Configuration` when a file cannot be understood, or names a storage that is not one we can share.
    pub fn load(codex_home: &Path) -> Result<Self> {
        Self::of(codex_home, Path::new(SYSTEM))
    }

    fn of(codex_home: &Path, system: &Path) -> Result<Self> {
        // Most machines do not have the folder: one look in place of three.
        let has_system = system.try_exists().unwrap_or(true);
        let in_system = |name| if has_system { layer(&system.join(name)) } else { Ok(None) };
        let mut requirements = in_system("requirements.toml")?;
        if let Some(layer) = &mut requirements {
            layer.forced_login_method = None;
            layer.forced_chatgpt_workspace_id = None;
        }
        let layers = [
            requirements,
            in_system("managed_config.toml")?,
            layer(&codex_home.join("config.toml"))?,
            in_system("config.toml")?,
        ];
        let layers: Vec<Layer> = layers.into_iter().flatten().collect();
        let encrypted = |layer: &Layer| layer.features.as_ref()?.secret_auth_storage;
        let encrypted = layers.iter().find_map(encrypted).unwrap_or(false);
        let store = layers.iter().find_map(|layer| layer.cli_auth_credentials_store.as_deref());
        let workspaces = layers.iter().find_map(|layer| layer.forced_chatgpt_workspace_id.clone());
        Ok(Self {
            store: shared(store, encrypted)?,
            login_method: layers.iter().find_map(|layer| layer.forced_login_method),
            workspaces: workspaces.map(OneOrMany::list).unwrap_or_default(),
        })
    }
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        let list = match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        };
        list.iter().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
    }
}

/// A login that we cannot read is never bypassed by a second one beside it.
fn shared(store: Option<&str>, encrypted: bool) -> Result<Store> {
    match (store, encrypted) {
        (None | Some("file"), _) => Ok(Store::File),
        (Some("keyring" | "auto"), true) => Err(unshared(
            "Codex keeps its login encrypted (features.secret_auth_storage = true), which cannot be shared",
        )),
        (Some("keyring"), false) => Ok(Store::Keyring),
        (Some("auto"), false) => Ok(Store::Auto),
        (Some("ephemeral"), _) => Err(unshared(
            "Codex keeps its login in memory alone (cli_auth_credentials_store = \"ephemeral\"), where \
             nobody else can read it",
        )),
        (Some(other), _) => Err(unshared(&format!(
            "Codex keeps its login in a storage that this version does not know \
             (cli_auth_credentials_store = {other:?})"
        ))),
    }
}

fn unshared(what: &str) -> Error {
    Error::new(Kind::Configuration, what).hint(
        "set cli_auth_credentials_store to \"file\" or \"keyring\" in Codex's config.toml, without \
         secret_auth_storage, and sign in again",
    )
}

fn layer(path: &Path) -> Result<Option<Layer>> {
    let bytes = match read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let says_something = KEYS.iter().any(|key| text.contains(key));
    if says_something { parse(path, &text).map(Some) } else { Ok(None) }
}

/// Not inlined: its frame takes a page of the stack, which a call without such a file need not touch.
#[inline(never)]
fn parse(path: &Path, text: &str) -> Result<Layer> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        let what = error.message();
        Error::new(Kind::Configuration, format!("{}, line {line}: {what}", path.display()))
            .hint("this is Codex's own configuration; `codex login status` checks it, too")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(files: &[(&str, &str)]) -> Result<CodexConfig> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        CodexConfig::of(&folder.path().join("home"), &folder.path().join("etc"))
    }

    fn store(value: &str) -> String {
        format!("model = \"gpt-5\"\ncli_auth_credentials_store = \"{value}\"\n")
    }

    #[test]
    fn nothing_said_means_the_file() {
        assert_eq!(read(&[]).unwrap(), CodexConfig::default());
        // What has no word about the login need not even be valid.
        assert_eq!(read(&[("home/config.toml", "= ?")]).unwrap(), CodexConfig::default());
    }

    #[test]
    fn the_upper_file_wins() {
        let files = [
            ("etc/config.toml", store("auto")),
            ("home/config.toml", store("keyring")),
            ("etc/managed_config.toml", store("file")),
            ("etc/requirements.toml", store("auto")),
        ];
        let expected = [Store::Auto, Store::Keyring, Store::File, Store::Auto];
        for (count, expected) in (1..).zip(expected) {
            let files: Vec<_> =
                files[..count].iter().map(|(name, text)| (*name, &**text)).collect();
            assert_eq!(read(&files).unwrap().store, expected);
        }
    }

    #[test]
    fn a_workspace_is_a_string_or_a_list() {
        let workspaces = |text| read(&[("home/config.toml", text)]).unwrap().workspaces;
        assert_eq!(workspaces("forced_chatgpt_workspace_id = ' a '"), ["a"]);
        assert_eq!(workspaces("forced_chatgpt_workspace_id = ['a', 'b']"), ["a", "b"]);
        assert!(workspaces("forced_chatgpt_workspace_id = ''").is_empty());
        assert!(workspaces("forced_chatgpt_workspace_id = []").is_empty());
        let required = [("etc/requirements.toml", "forced_chatgpt_workspace_id = 'a'")];
        assert!(read(&required).unwrap().workspaces.is_empty(), "as Codex does");
    }

    #[test]
    fn a_storage_that_cannot_be_shared_is_named() {
        let encrypted = format!("{}[features]\nsecret_auth_storage = true\n", store("keyring"));
        for (text, name) in [
            (encrypted.as_str(), "secret_auth_storage"),
            (&store("ephemeral"), "ephemeral"),
            (&store("hologram"), "hologram"),
        ] {
            let error = read(&[("home/config.toml", text)]).unwrap_err();
            assert_eq!(error.kind, Kind::Configuration);
            assert!(error.text().contains(name), "{error}");
        }
        let unused = format!("{}[features]\nsecret_auth_storage = true\n", store("file"));
        assert_eq!(read(&[("home/config.toml", &unused)]).unwrap().store, Store::File);
    }

    #[test]
    fn a_mistake_is_shown_with_its_line() {
        let text = "model = 1\nforced_login_method = 'magic'\n";
        let error = read(&[("home/config.toml", text)]).unwrap_err();
        assert!(error.text().contains("config.toml, line 2: unknown variant `magic`"), "{error}");
    }
}
