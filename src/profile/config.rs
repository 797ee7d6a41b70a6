//! The configuration file, `config.toml`.
//!
//! A mistake anywhere in it is an error: a misspelt key could send a token to the wrong host or store it in the wrong
//! place.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::profile::built_in::{API_HOST, BUILT_IN, HOST};
use crate::profile::mistake::{at, line_at, line_of, suggestion, unreadable};
use crate::profile::profile_table::ProfileTable;
use crate::storage::StorageKind;
use crate::storage::audit_log::AuditLevel;
use crate::storage::etcd_settings::Settings;
use crate::storage::files::read;
use crate::storage::host_credentials::GitStorage;
use crate::values::{Host, ProfileName};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue, Deserializer};

/// The keys that the built-in profile can set, beside the table `etcd`.
const BUILT_IN_KEYS: [&str; 6] =
    ["storage", "cache", "account", "workspace", "interactive", "sign_in"];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file itself, if there is one.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// The profile of a request that names neither a profile nor a host.
    pub default_profile: Option<ProfileName>,
    pub audit: AuditLevel,
    pub git: Git,
    pub profiles: BTreeMap<ProfileName, ProfileTable>,
}

/// The table `[git]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Git {
    /// Where other hosts' credentials are stored.
    pub storage: GitStorage,
}

impl Config {
    /// Reads the file. If the user named it with `is_named`, it must exist.
    ///
    /// # Errors
    /// `Configuration`, with the line.
    pub fn load(path: &Path, is_named: bool) -> Result<Self> {
        let Some(bytes) = read(path)? else {
            if !is_named {
                return Ok(Self::default());
            }
            let what = format!("the configuration file {} does not exist", path.display());
            return Err(Error::new(Kind::Configuration, what)
                .hint("correct --config or CODEX_CREDENTIAL_CONFIG, or create the file"));
        };
        let path = std::path::absolute(path).context("find", path)?;
        let text = str::from_utf8(&bytes).map_err(|error| {
            at(&path, line_at(&bytes, error.valid_up_to()), "the file is not valid UTF-8")
        })?;
        Self::parse(&path, text)
    }

    /// Parses and validates `text`; `path` is for messages and for relative paths.
    // Not inlined: a call without a configuration file does not pay for its stack frame.
    #[inline(never)]
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|error| unreadable(path, text, error))?;
        if let Some(list) = list_for_table(table.get_ref(), false) {
            return Err(at(path, line_at(text, list), "expected a table, not a list"));
        }
        let config = Self::deserialize(Deserializer::from(table));
        let mut config = config.map_err(|error| unreadable(path, text, error))?;
        config
            .validate()
            .map_err(|(key, what)| at(path, line_of(text, &key), &format!("{key}: {what}")))?;
        let folder = path.parent().unwrap_or(path);
        config.profiles.values_mut().for_each(|profile| profile.resolve(folder));
        config.path = Some(path.to_owned());
        Ok(config)
    }

    /// Checks the rules that more than one key is part of.
    ///
    /// # Errors
    /// The key to change, and what is wrong.
    fn validate(&self) -> Result<(), (String, String)> {
        let mut owners: BTreeMap<&str, &str> =
            BTreeMap::from([(HOST, BUILT_IN), (API_HOST, BUILT_IN)]);
        for (name, profile) in &self.profiles {
            let wrong = |what| (format!("profiles.{name}"), what);
            validate_profile(name, profile).map_err(wrong)?;
            for host in &profile.hosts {
                if let Some(other) = owners.insert(host, name) {
                    return Err(wrong(format!("the host {host} belongs to the profile {other}")));
                }
            }
        }
        let Some(name) = self.default_profile.as_deref() else { return Ok(()) };
        if self.names().contains(&name) {
            return Ok(());
        }
        let suggestion = suggestion(name, "profiles", &self.names());
        Err(("default_profile".into(), format!("there is no profile {name:?}; {suggestion}")))
    }

    /// Returns the name of the profile that `host` belongs to.
    pub fn profile_of_host(&self, host: &[u8]) -> Option<&str> {
        let is_host = |own: &str| own.as_bytes().eq_ignore_ascii_case(host);
        if is_host(HOST) || is_host(API_HOST) {
            return Some(BUILT_IN);
        }
        let owns = |profile: &ProfileTable| profile.hosts.iter().any(|own: &Host| is_host(own));
        self.profiles.iter().find(|(_, profile)| owns(profile)).map(|(name, _)| &**name)
    }

    /// Returns the table of a profile, which is empty for a built-in profile that has none.
    ///
    /// # Errors
    /// `Usage` if there is no such profile.
    pub fn find(&self, name: &str) -> Result<ProfileTable> {
        match self.profiles.get(name) {
            Some(profile) => Ok(profile.clone()),
            None if name == BUILT_IN => Ok(ProfileTable::default()),
            None => Err(Error::new(Kind::Usage, format!("there is no profile {name:?}"))
                .hint(suggestion(name, "profiles", &self.names()))),
        }
    }

    pub fn default_name(&self) -> &str {
        self.default_profile.as_deref().unwrap_or(BUILT_IN)
    }

    /// Returns the names of all profiles, with the built-in one first.
    pub fn names(&self) -> Vec<&str> {
        let own = self.profiles.keys().map(|name| &**name).filter(|name| *name != BUILT_IN);
        [BUILT_IN].into_iter().chain(own).collect()
    }
}

/// Returns the offset of a list where a table is expected: serde would take its items for the keys, in their order.
fn list_for_table(table: &DeTable, is_profiles: bool) -> Option<usize> {
    table.iter().find_map(|(key, value)| match value.get_ref() {
        DeValue::Array(_) if is_profiles || ["git", "etcd"].contains(&&**key.get_ref()) => {
            Some(value.span().start)
        }
        DeValue::Table(inner) => list_for_table(inner, key.get_ref() == "profiles"),
        _ => None,
    })
}

fn validate_profile(name: &str, profile: &ProfileTable) -> Result<(), String> {
    let wrong = |what: &str| Err(what.to_owned());
    let is_built_in = name == BUILT_IN;
    if is_built_in {
        let keys = json!(profile);
        let mut given =
            keys.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        if let Some((key, _)) = given.find(|(key, _)| !BUILT_IN_KEYS.contains(&key.as_str())) {
            return wrong(&format!("{key} cannot be set for the built-in profile"));
        }
    } else if profile.issuer.is_none() {
        return wrong("issuer is missing");
    } else if profile.client_id.is_none() {
        return wrong("client_id is missing");
    }
    let keys = [("audience", &profile.audience), ("resource", &profile.resource)];
    for (key, _) in keys.iter().filter(|(_, value)| value.is_some()) {
        if profile.parameters.iter().any(|parameter| &*parameter.name == *key) {
            return wrong(&format!("{key} is a key and a parameter"));
        }
    }
    match (profile.storage, profile.etcd.as_ref().map(Settings::missing_key)) {
        (Some(StorageKind::Codex), _) if !is_built_in => {
            wrong("storage = \"codex\" is only for the profile codex")
        }
        (Some(StorageKind::Etcd), None) => {
            wrong("storage = \"etcd\" needs a table etcd in the profile")
        }
        (_, Some(Some(key))) => wrong(&format!("the table etcd has no {key}")),
        _ => Ok(()),
    }
}
