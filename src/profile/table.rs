//! One table `[profiles.NAME]`.

use crate::client::Standard;
use crate::error::Result;
use crate::fleet::settings::Settings;
use crate::profile::BUILT_IN;
use crate::profile::etcd;
use crate::profile::reader::{Key, Reader};
use crate::storage::StorageKind;
use crate::ui::Interactive;
use crate::urls::is_secure;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

pub const PROFILE_KEYS: [&str; 18] = [
    "issuer",
    "client_id",
    "client_secret_file",
    "scope",
    "audience",
    "resource",
    "hosts",
    "storage",
    "cache",
    "etcd",
    "account",
    "workspace",
    "interactive",
    "device_authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
];

/// What may be said of the built-in profile: its issuer and its hosts are what they are.
const BUILT_IN_KEYS: [&str; 6] =
    ["storage", "cache", "etcd", "account", "workspace", "interactive"];

/// Which account a login has to be of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    pub account: Option<String>,
    pub workspace: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub issuer: String,
    pub client_id: String,
    pub standard: Standard,
    pub hosts: Vec<String>,
    pub storage: Option<StorageKind>,
    /// A copy of the access token may lie in memory.
    pub cache: Option<bool>,
    /// Where the etcd is that `storage` names.
    pub etcd: Option<Settings>,
    pub pin: Pin,
    pub interactive: Option<Interactive>,
    /// Where the table is, for messages.
    pub span: Range<usize>,
}

impl Table {
    pub fn read(reader: &Reader, name: &Key, value: &Spanned<DeValue>) -> Result<Self> {
        if !is_name(name.get_ref()) {
            let what = "a profile's name has lower-case letters, digits, _ and - only";
            return Err(reader.bad(&name.span(), what));
        }
        let table = reader.table(name, value)?;
        let is_built_in = name.get_ref() == BUILT_IN;
        let mut read = Self { span: name.span(), ..Self::default() };
        for (key, value) in table {
            let key_text = key.get_ref().as_ref();
            if is_built_in && PROFILE_KEYS.contains(&key_text) && !BUILT_IN_KEYS.contains(&key_text)
            {
                let what = format!("the profile {BUILT_IN} has no {key_text:?} to be chosen");
                return Err(reader.bad(&key.span(), &what));
            }
            read.set(reader, key, value)?;
        }
        if !is_built_in {
            read.check(reader, name, table)?;
        }
        if read.storage == Some(StorageKind::Etcd) && read.etcd.is_none() {
            let span = table.get("storage").map_or(name.span(), Spanned::span);
            let what = "storage = \"etcd\" needs a table etcd in the profile";
            return Err(reader.bad(&span, what));
        }
        Ok(read)
    }

    fn set(&mut self, reader: &Reader, key: &Key, value: &Spanned<DeValue>) -> Result<()> {
        let text = || reader.text(key, value);
        let url = || url(reader, key, value);
        let standard = &mut self.standard;
        match key.get_ref().as_ref() {
            "issuer" => self.issuer = issuer(reader, key, value)?,
            "client_id" => self.client_id = text()?,
            "client_secret_file" => {
                let folder = reader.path.parent().unwrap_or(reader.path);
                standard.client_secret_file = Some(folder.join(text()?));
            }
            "scope" => standard.scope = Some(text()?),
            "audience" => standard.audience = Some(text()?),
            "resource" => standard.resource = Some(text()?),
            "hosts" => self.hosts = hosts(reader, value)?,
            "storage" => {
                let words = [
                    ("codex", StorageKind::Codex),
                    ("file", StorageKind::File),
                    ("keyring", StorageKind::Keyring),
                    ("memory", StorageKind::Memory),
                    ("etcd", StorageKind::Etcd),
                ];
                self.storage = Some(reader.word(key, value, &words)?);
            }
            "cache" => {
                let words = [("runtime", true), ("none", false)];
                self.cache = Some(reader.word(key, value, &words)?);
            }
            "etcd" => self.etcd = Some(etcd::read(reader, key, value)?),
            "account" => self.pin.account = Some(text()?),
            "workspace" => self.pin.workspace = Some(text()?),
            "interactive" => {
                let words = [
                    ("auto", Interactive::Auto),
                    ("always", Interactive::Always),
                    ("never", Interactive::Never),
                ];
                self.interactive = Some(reader.word(key, value, &words)?);
            }
            "device_authorization_endpoint" => {
                standard.endpoints.device_authorization = Some(url()?);
            }
            "token_endpoint" => standard.endpoints.token = Some(url()?),
            "revocation_endpoint" => standard.endpoints.revocation = Some(url()?),
            "jwks_uri" => standard.endpoints.jwks = Some(url()?),
            "userinfo_endpoint" => standard.endpoints.userinfo = Some(url()?),
            _ => return Err(reader.unknown(key, &PROFILE_KEYS)),
        }
        Ok(())
    }

    fn check(&self, reader: &Reader, name: &Key, table: &DeTable) -> Result<()> {
        for (key, value) in [("issuer", &self.issuer), ("client_id", &self.client_id)] {
            if value.is_empty() {
                let what = format!("the profile {} has no {key}", name.get_ref());
                return Err(reader.bad(&name.span(), &what));
            }
        }
        if self.storage == Some(StorageKind::Codex) {
            let span = table.get("storage").map_or(name.span(), Spanned::span);
            let what = format!("storage = \"codex\" is for the profile {BUILT_IN} alone");
            return Err(reader.bad(&span, &what));
        }
        Ok(())
    }
}

pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('-')
}

fn url(reader: &Reader, key: &Key, value: &Spanned<DeValue>) -> Result<String> {
    let text = reader.text(key, value)?;
    if is_secure(&text) {
        return Ok(text);
    }
    let what = format!("{} is an https URL, or http on a loopback address", key.get_ref());
    Err(reader.bad(&value.span(), &what))
}

/// Kept as it is written, for it is compared with what the server says of itself.
fn issuer(reader: &Reader, key: &Key, value: &Spanned<DeValue>) -> Result<String> {
    let text = url(reader, key, value)?;
    if text.contains('?') {
        return Err(reader.bad(&value.span(), "issuer is a URL without a query"));
    }
    Ok(text)
}

fn hosts(reader: &Reader, value: &Spanned<DeValue>) -> Result<Vec<String>> {
    let list = value.get_ref().as_array();
    let list = list.ok_or_else(|| reader.bad(&value.span(), "hosts is a list of names"))?;
    let host = |value: &Spanned<DeValue>| match value.get_ref().as_str() {
        Some(host) if is_host(host) => Ok(host.to_owned()),
        _ => {
            let what = "a host is written as in a request: lower case, with a port other than 443 where it \
                        has one, and nothing else";
            Err(reader.bad(&value.span(), what))
        }
    };
    list.iter().map(host).collect()
}

/// Whether a URL has it just so.
pub fn is_host(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("https://{host}/")) else { return false };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let is_same = url.host_str().is_some_and(|name| format!("{name}{port}") == host);
    is_same && !host.contains('*')
}
