//! Reads from Codex's configuration where Codex keeps its login, and which logins are allowed.
//!
//! Where several files set a key, the first of this list wins:
//!
//! ```text
//! /etc/codex/requirements.toml     (except the forced_… keys)
//! /etc/codex/managed_config.toml
//! $CODEX_HOME/config.toml
//! /etc/codex/config.toml
//! ```
//!
//! A project's own `.codex/config.toml` is not read: a login that is shared by the whole machine cannot depend on the
//! caller's working directory.

use crate::error::{Error, Kind, Result};
use crate::storage::files::read;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::Path;

const SYSTEM_DIR: &str = "/etc/codex";

/// The keys that concern the login. A file without any of them is not parsed.
const KEYS: [&str; 4] = [
    "cli_auth_credentials_store",
    "secret_auth_storage",
    "forced_login_method",
    "forced_chatgpt_workspace_id",
];

/// The variables by which Codex uses something else than its stored login.
const OVERRIDES: [&str; 4] = [
    "CODEX_ACCESS_TOKEN",
    "CODEX_API_KEY",
    "OPENAI_FEDERATION_RULE_ID",
    "OPENAI_IDENTITY_TOKEN_FILE",
];

/// Returns the names of the variables in this environment by which Codex uses something else than its stored login.
pub fn overrides(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<&'static str> {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    OVERRIDES.into_iter().filter(is_set).collect()
}

/// Where Codex keeps the login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    #[default]
    File,
    Keyring,
    /// The keyring if it is available, else the file.
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginMethod {
    ChatGpt,
    Api,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodexConfig {
    pub store: Store,
    pub login_method: Option<LoginMethod>,
    /// The allowed workspaces; empty where all are allowed.
    pub workspaces: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Layer {
    cli_auth_credentials_store: Option<String>,
    forced_login_method: Option<LoginMethod>,
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
    /// `Configuration` when a file cannot be parsed, or names a storage that cannot be shared.
    pub fn load(codex_home: &Path) -> Result<Self> {
        Self::load_from(codex_home, Path::new(SYSTEM_DIR))
    }

    fn load_from(codex_home: &Path, system_dir: &Path) -> Result<Self> {
        let layers = [
            read_layer(&system_dir.join("requirements.toml"))?,
            read_layer(&system_dir.join("managed_config.toml"))?,
            read_layer(&codex_home.join("config.toml"))?,
            read_layer(&system_dir.join("config.toml"))?,
        ];
        let mut all = layers.iter().flatten();
        let encrypted = |layer: &Layer| layer.features.as_ref()?.secret_auth_storage;
        let encrypted = all.clone().find_map(encrypted).unwrap_or(false);
        let store = all.find_map(|layer| layer.cli_auth_credentials_store.as_deref());
        let mut rules = layers[1..].iter().flatten();
        let workspaces = rules.clone().find_map(|layer| layer.forced_chatgpt_workspace_id.clone());
        let workspaces = match workspaces {
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
            None => Vec::new(),
        };
        let workspaces = workspaces.iter().map(|id| id.trim().to_owned());
        Ok(Self {
            store: parse_store(store, encrypted)?,
            login_method: rules.find_map(|layer| layer.forced_login_method),
            workspaces: workspaces.filter(|id| !id.is_empty()).collect(),
        })
    }
}

/// Returns `chatgpt_base_url` of Codex's configuration, with the precedence of the other keys.
pub fn chatgpt_base_url(codex_home: &Path) -> Result<Option<String>> {
    const KEY: &str = "chatgpt_base_url";
    let system_dir = Path::new(SYSTEM_DIR);
    for path in [
        system_dir.join("managed_config.toml"),
        codex_home.join("config.toml"),
        system_dir.join("config.toml"),
    ] {
        let Some(bytes) = read(&path)? else { continue };
        let table = String::from_utf8_lossy(&bytes).parse::<toml::Table>().unwrap_or_default();
        if let Some(url) = table.get(KEY).and_then(toml::Value::as_str) {
            return Ok(Some(url.trim_end_matches('/').to_owned()));
        }
    }
    Ok(None)
}

/// A storage that we cannot read is an error, because a second login beside Codex's own would conflict with it.
fn parse_store(store: Option<&str>, encrypted: bool) -> Result<Store> {
    match store.unwrap_or("file") {
        "file" => Ok(Store::File),
        "keyring" if !encrypted => Ok(Store::Keyring),
        "auto" if !encrypted => Ok(Store::Auto),
        store => {
            let encrypted = if encrypted { ", encrypted by secret_auth_storage" } else { "" };
            let what = format!(
                "Codex's login cannot be shared (cli_auth_credentials_store = {store:?}{encrypted})"
            );
            Err(Error::new(Kind::Configuration, what).hint(
                "set cli_auth_credentials_store to \"file\" or \"keyring\" in Codex's config.toml, without \
                 secret_auth_storage, and sign in again",
            ))
        }
    }
}

fn read_layer(path: &Path) -> Result<Option<Layer>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    if !KEYS.iter().any(|key| text.contains(key)) {
        return Ok(None);
    }
    toml::from_str(&text).map(Some).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        let what = error.message();
        Error::new(Kind::Configuration, format!("{}, line {line}: {what}", path.display()))
            .hint("correct Codex's configuration; `codex login status` checks it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn load(files: &[(&str, &str)]) -> Result<CodexConfig> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        CodexConfig::load_from(&folder.path().join("home"), &folder.path().join("etc"))
    }

    fn store(value: &str) -> String {
        format!("model = \"gpt-5\"\ncli_auth_credentials_store = \"{value}\"\n")
    }

    #[test]
    fn missing_or_unrelated_configuration_means_file_storage() {
        assert_eq!(load(&[]).unwrap(), CodexConfig::default());
        // A file without any of the keys is not parsed.
        assert_eq!(load(&[("home/config.toml", "= ?")]).unwrap(), CodexConfig::default());
    }

    #[test]
    fn file_of_higher_precedence_wins() {
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
            assert_eq!(load(&files).unwrap().store, expected);
        }
    }

    #[test]
    fn workspaces_are_read_from_a_string_or_a_list() {
        let workspaces = |file, text| load(&[(file, text)]).unwrap().workspaces;
        let user = "home/config.toml";
        assert_eq!(workspaces(user, "forced_chatgpt_workspace_id = ' a '"), ["a"]);
        assert_eq!(workspaces(user, "forced_chatgpt_workspace_id = ['a', '', 'b']"), ["a", "b"]);
        // Codex ignores the key in this file.
        let required = workspaces("etc/requirements.toml", "forced_chatgpt_workspace_id = 'a'");
        assert!(required.is_empty());
    }

    #[test]
    fn encryption_does_not_matter_for_file_storage() {
        let unused = format!("{}[features]\nsecret_auth_storage = true\n", store("file"));
        assert_eq!(load(&[("home/config.toml", &unused)]).unwrap().store, Store::File);
    }

    #[test]
    fn invalid_value_is_reported_with_its_line() {
        let text = "model = 1\nforced_login_method = 'magic'\n";
        let error = load(&[("home/config.toml", text)]).unwrap_err();
        assert!(error.text().contains("config.toml, line 2: unknown variant `magic`"), "{error}");
    }
}
