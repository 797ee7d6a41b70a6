//! The table `[profiles.NAME.etcd]`.

use crate::error::Result;
use crate::fleet::settings::{Role, Settings};
use crate::profile::reader::{Key, Reader};
use crate::urls::is_secure;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

pub const ETCD_KEYS: [&str; 12] = [
    "endpoints",
    "prefix",
    "ca_file",
    "certificate_file",
    "key_file",
    "user",
    "password_file",
    "recipients",
    "readers",
    "identity_file",
    "role",
    "lease",
];

/// Below, a lease ends in what is a moment for a busy machine.
const SHORTEST_LEASE: i64 = 2;

pub fn read(reader: &Reader, name: &Key, value: &Spanned<DeValue>) -> Result<Settings> {
    let mut settings = Settings::default();
    let folder = reader.path.parent().unwrap_or(reader.path);
    for (key, value) in reader.table(name, value)? {
        let text = || reader.text(key, value);
        let file = || text().map(|name| folder.join(name));
        match key.get_ref().as_ref() {
            "endpoints" => settings.endpoints = endpoints(reader, key, value)?,
            "prefix" => settings.prefix = text()?,
            "ca_file" => settings.ca_file = Some(file()?),
            "certificate_file" => settings.certificate_file = Some(file()?),
            "key_file" => settings.key_file = Some(file()?),
            "user" => settings.user = Some(text()?),
            "password_file" => settings.password_file = Some(file()?),
            "recipients" => settings.recipients = texts(reader, key, value)?,
            "readers" => settings.readers = texts(reader, key, value)?,
            "identity_file" => settings.identity_file = file()?,
            "role" => {
                let words = [("writer", Role::Writer), ("reader", Role::Reader)];
                settings.role = reader.word(key, value, &words)?;
            }
            "lease" => settings.lease = lease(reader, key, value)?,
            _ => return Err(reader.unknown(key, &ETCD_KEYS)),
        }
    }
    check(reader, name, &settings)?;
    Ok(settings)
}

fn check(reader: &Reader, name: &Key, settings: &Settings) -> Result<()> {
    let needs_recipients = settings.role == Role::Writer;
    let missing = [
        (settings.endpoints.is_empty(), "endpoints"),
        (settings.identity_file.as_os_str().is_empty(), "identity_file"),
        (needs_recipients && settings.recipients.is_empty(), "recipients"),
        (settings.user.is_some() && settings.password_file.is_none(), "password_file"),
        (settings.certificate_file.is_some() && settings.key_file.is_none(), "key_file"),
    ];
    match missing.iter().find(|(is_missing, _)| *is_missing) {
        Some((_, key)) => Err(reader.bad(&name.span(), &format!("the table etcd has no {key}"))),
        None => Ok(()),
    }
}

fn texts(reader: &Reader, key: &Key, value: &Spanned<DeValue>) -> Result<Vec<String>> {
    let list = value.get_ref().as_array();
    let what = format!("{} is a list", key.get_ref());
    let list = list.ok_or_else(|| reader.bad(&value.span(), &what))?;
    list.iter().map(|value| reader.text(key, value)).collect()
}

/// What the records do not hide, a password among it, goes over TLS.
fn endpoints(reader: &Reader, key: &Key, value: &Spanned<DeValue>) -> Result<Vec<String>> {
    let urls = texts(reader, key, value)?;
    if urls.iter().all(|url| is_secure(url)) {
        return Ok(urls);
    }
    let what = "endpoints are https URLs, or http on a loopback address";
    Err(reader.bad(&value.span(), what))
}

/// As people write durations.
fn lease(reader: &Reader, key: &Key, value: &Spanned<DeValue>) -> Result<Duration> {
    let bad = || reader.bad(&value.span(), "lease is a duration of at least 2 s, such as \"10s\"");
    let lease: jiff::SignedDuration = reader.text(key, value)?.parse().map_err(|_| bad())?;
    match Duration::try_from(lease) {
        Ok(duration) if lease.as_secs() >= SHORTEST_LEASE => Ok(duration),
        _ => Err(bad()),
    }
}
