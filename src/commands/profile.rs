//! `profile list`, `show` and `add`.

use crate::configure::file::TextFile;
use crate::configure::lines;
use crate::error::{Error, Kind, Result};
use crate::profile::config::Config;
use crate::profile::{BUILT_IN, HOST, ISSUER, Profile};
use crate::storage::StorageKind;
use crate::ui;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::path::Path;

/// By the file alone: what cannot be opened here and now is listed, too.
pub fn list(config: &Config, as_json: bool) -> String {
    let default = config.default_name();
    let profiles = config.names().into_iter().map(|name| match config.profiles.get(name) {
        Some(table) if name != BUILT_IN => {
            let storage = table.storage.unwrap_or(StorageKind::File);
            (name, table.issuer.as_str(), table.hosts.iter().map(String::as_str).collect(), storage)
        }
        table => {
            let storage = table.and_then(|table| table.storage).unwrap_or(StorageKind::Codex);
            (name, ISSUER, vec![HOST], storage)
        }
    });
    if as_json {
        let object = |(name, issuer, hosts, storage): (&str, &str, Vec<&str>, StorageKind)| {
            json!({
                "name": name,
                "issuer": issuer,
                "hosts": hosts,
                "storage": storage.name(),
                "default": name == default,
            })
        };
        return format!("{}\n", profiles.map(object).collect::<Value>());
    }
    let mut text = String::new();
    for (name, issuer, hosts, _) in profiles {
        let mark = if name == default { "*" } else { " " };
        let line = format!("{mark} {name:<16} {issuer} {}", hosts.join(" "));
        writeln!(text, "{}", line.trim_end()).expect("a string takes all");
    }
    text
}

pub fn show(profile: &Profile, as_json: bool) -> String {
    let object = object(profile);
    if as_json {
        return format!("{}\n", Value::from(object));
    }
    let mut text = String::new();
    for (key, value) in object {
        let value = match &value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        writeln!(text, "{key:<30} {value}").expect("a string takes all");
    }
    text
}

/// By the names of the configuration's keys. (A client's secret stays in its file.)
fn object(profile: &Profile) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("name", json!(profile.name));
    put("issuer", json!(profile.issuer.issuer));
    put("client_id", json!(profile.issuer.client_id));
    if let Some(standard) = profile.as_standard() {
        put("client_secret_file", json!(standard.client_secret_file));
        put("scope", json!(standard.scope));
        put("audience", json!(standard.audience));
        put("resource", json!(standard.resource));
        let endpoints = &standard.endpoints;
        put("device_authorization_endpoint", json!(endpoints.device_authorization));
        put("token_endpoint", json!(endpoints.token));
        put("revocation_endpoint", json!(endpoints.revocation));
        put("jwks_uri", json!(endpoints.jwks));
        put("userinfo_endpoint", json!(endpoints.userinfo));
    }
    put("hosts", json!(profile.hosts));
    put("storage", json!(profile.kept.name()));
    put("account", json!(profile.account));
    put("workspace", json!(profile.pin.workspace));
    put("config", json!(profile.config));
    object
}

/// Appends the table; every other byte of the file stays.
///
/// # Errors
/// `Configuration` for what the file would not be understood with; then nothing is written.
pub fn add(
    path: &Path,
    name: &str,
    entries: impl Iterator<Item = (&'static str, String)>,
    hosts: &[String],
) -> Result<()> {
    let file = TextFile::read(path)?;
    let text = file.text();
    if Config::parse(path, text.unwrap_or_default())?.profiles.contains_key(name) {
        let what = format!("there is a profile {name} in {} already", path.display());
        return Err(Error::new(Kind::Usage, what).hint("change it there, or choose another name"));
    }
    let mut table = vec![format!("[profiles.{name}]")];
    // What JSON writes in quotes TOML reads as it is meant.
    table.extend(entries.map(|(key, value)| format!("{key} = {}", json!(value))));
    if !hosts.is_empty() {
        table.push(format!("hosts = {}", json!(hosts)));
    }
    if text.is_some_and(|text| !text.trim().is_empty()) {
        table.insert(0, String::new());
    }
    let text = lines::append(path, text, &table)?;
    Config::parse(path, &text).map_err(|error| error.hint("nothing was written"))?;
    file.write(&text)?;
    ui::say(&format!("wrote the profile {name} to {}", path.display()));
    Ok(())
}
