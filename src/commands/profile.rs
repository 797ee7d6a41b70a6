//! `profile list`, `show` and `add`.

use crate::configure::lines::append;
use crate::configure::text_file::TextFile;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::profile::built_in::{BUILT_IN, HOST, ISSUER};
use crate::profile::config::Config;
use crate::profile::profile_table::ProfileTable;
use crate::storage::StorageKind;
use crate::ui;
use crate::values::ProfileName;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Lists the profiles as the file has them, also those whose storage this machine cannot open.
pub fn list(config: &Config, as_json: bool) -> String {
    let default = config.default_name();
    let profiles = config.names().into_iter().map(|name| match config.profiles.get(name) {
        Some(profile) if name != BUILT_IN => {
            let storage = profile.storage.unwrap_or(StorageKind::File);
            let hosts = profile.hosts.iter().map(|host| &**host).collect();
            (name, profile.issuer.as_deref().unwrap_or_default(), hosts, storage)
        }
        profile => {
            let storage = profile.and_then(|profile| profile.storage);
            (name, ISSUER, vec![HOST], storage.unwrap_or(StorageKind::Codex))
        }
    });
    if as_json {
        let object = |(name, issuer, hosts, storage): (&str, &str, Vec<&str>, StorageKind)| {
            json!({
                "name": name,
                "issuer": issuer,
                "hosts": hosts,
                "storage": storage,
                "default": name == default,
            })
        };
        return format!("{}\n", profiles.map(object).collect::<Value>());
    }
    let mut text = String::new();
    for (name, issuer, hosts, _) in profiles {
        let mark = if name == default { "*" } else { " " };
        let line = format!("{mark} {name:<16} {issuer} {}", hosts.join(" "));
        writeln!(text, "{}", line.trim_end()).expect("a string accepts every write");
    }
    text
}

/// Returns the keys of the profile. A client secret is not among them, only the path of its file.
pub fn show(profile: &Profile, as_json: bool) -> String {
    let settings = json!(profile.settings);
    let mut keys = Map::from_iter([("name".into(), json!(profile.name))]);
    keys.extend(settings.as_object().cloned().into_iter().flatten());
    keys.insert("hosts".into(), json!(profile.settings.hosts));
    keys.insert("account".into(), json!(profile.account));
    keys.insert("config".into(), json!(profile.config_file));
    if as_json {
        return format!("{}\n", Value::from(keys));
    }
    let mut text = String::new();
    for (key, value) in keys {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Array(list) => {
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            Value::Object(table) => {
                let pair = |(name, value): (&String, &Value)| {
                    format!("{name}={}", value.as_str().unwrap_or_default())
                };
                table.iter().map(pair).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        writeln!(text, "{key:<30} {value}").expect("a string accepts every write");
    }
    text
}

/// Appends a profile to the configuration file and changes no other byte.
///
/// # Errors
/// `Usage` if the profile exists, `Configuration` if the file would be invalid. Then nothing is written.
pub fn add(path: &Path, name: ProfileName, profile: ProfileTable) -> Result<()> {
    let file = TextFile::read(path)?;
    let text = file.text().unwrap_or_default();
    if Config::parse(path, text)?.profiles.contains_key(&name) {
        let what = format!("the profile {name} exists already in {}", path.display());
        return Err(Error::new(Kind::Usage, what).hint("edit it there, or choose another name"));
    }
    let added = format!("added the profile {name} to {}", path.display());
    let next = format!("codex-credential profile test {name}");
    let table = BTreeMap::from([("profiles", BTreeMap::from([(name, profile)]))]);
    let table = toml::to_string(&table).map_err(|error| {
        Error::new(Kind::Usage, format!("the profile cannot be written as TOML: {error}"))
    })?;
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    if !text.trim().is_empty() {
        lines.insert(0, String::new());
    }
    let text = append(file.text(), &lines);
    Config::parse(path, &text).map_err(|error| error.hint("nothing was written"))?;
    file.write(&text)?;
    ui::say(&added);
    ui::hint("to test it", &next);
    Ok(())
}
