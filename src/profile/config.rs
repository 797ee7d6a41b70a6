//! This program's own configuration, `config.toml`: profiles, and where git's credentials for other hosts are kept.
//!
//! A mistake names the file, the line and the nearest right word; nothing is guessed and nothing passed over, for a
//! misspelt key would send a token elsewhere or keep it elsewhere.

use crate::error::{Error, IoResultExt, Kind, Result};
use crate::profile::etcd::ETCD_KEYS;
use crate::profile::reader::{GIT_KEYS, Reader, instead};
use crate::profile::table::{PROFILE_KEYS, Table};
use crate::profile::{BUILT_IN, BUILT_IN_HOSTS};
use crate::storage::audit_log::AuditLevel;
use crate::storage::files_read::read;
use crate::storage::host_credentials::GitStorage;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

pub const TOP_KEYS: [&str; 4] = ["audit", "default_profile", "git", "profiles"];

#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    pub default_profile: Option<String>,
    /// Where git's credentials for hosts that are no profile's are kept.
    pub git: GitStorage,
    /// What is written down of what is done.
    pub audit: AuditLevel,
    pub profiles: BTreeMap<String, Table>,
}

impl Config {
    /// One that was named has to be there.
    ///
    /// # Errors
    /// `Configuration`, with the line.
    pub fn load(path: &Path, is_named: bool) -> Result<Self> {
        let bytes = match read(path) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => None,
            read => read.context("read", path)?,
        };
        let Some(bytes) = bytes else {
            if !is_named {
                return Ok(Self::default());
            }
            let what = format!("there is no configuration file {}", path.display());
            return Err(Error::new(Kind::Configuration, what)
                .hint("--config and CODEX_CREDENTIAL_CONFIG name one that is there"));
        };
        let path = std::path::absolute(path).context("find", path)?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&path, &text)
    }

    /// Not inlined: its frame takes a page of the stack, which a call without such a file need not touch.
    #[inline(never)]
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let reader = Reader { path, text };
        let table = DeTable::parse(text)
            .map_err(|error| reader.bad(&error.span().unwrap_or_default(), error.message()))?;
        let mut config = Self { path: Some(path.to_owned()), ..Self::default() };
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "default_profile" => config.default_profile = Some(reader.text(key, value)?),
                "audit" => config.audit = reader.audit(key, value)?,
                "git" => config.git = reader.git(key, value)?,
                "profiles" => {
                    for (name, value) in reader.table(key, value)? {
                        let table = Table::read(&reader, name, value)?;
                        config.profiles.insert(name.get_ref().to_string(), table);
                    }
                }
                _ => return Err(reader.unknown(key, &TOP_KEYS)),
            }
        }
        config.check_hosts(&reader)?;
        if let Some(name) = &config.default_profile {
            config.find(name)?;
        }
        Ok(config)
    }

    /// A host belongs to one profile.
    fn check_hosts(&self, reader: &Reader) -> Result<()> {
        let mut owners: BTreeMap<&str, &str> =
            BUILT_IN_HOSTS.iter().map(|host| (*host, BUILT_IN)).collect();
        for (name, table) in &self.profiles {
            for host in &table.hosts {
                if let Some(other) = owners.insert(host, name) {
                    let what =
                        format!("the host {host} belongs to the profiles {other} and {name}");
                    return Err(reader
                        .bad(&table.span, &what)
                        .hint("a host belongs to one profile only"));
                }
            }
        }
        Ok(())
    }

    /// Whose host this is.
    pub fn owner(&self, host: &[u8]) -> Option<&str> {
        let is_it = |own: &str| own.as_bytes().eq_ignore_ascii_case(host);
        if BUILT_IN_HOSTS.iter().any(|own| is_it(own)) {
            return Some(BUILT_IN);
        }
        let mut profiles = self.profiles.iter();
        let owner = profiles.find(|(_, table)| table.hosts.iter().any(|own| is_it(own)));
        owner.map(|(name, _)| name.as_str())
    }

    /// The table of a profile; the built-in one needs none.
    ///
    /// # Errors
    /// `Usage` when there is no such profile.
    pub fn find(&self, name: &str) -> Result<Option<&Table>> {
        match self.profiles.get(name) {
            Some(table) => Ok(Some(table)),
            None if name == BUILT_IN => Ok(None),
            None => {
                let mut names = self.names();
                let what = format!("there is no profile {name:?}{}", instead(name, &names));
                names.sort_unstable();
                Err(Error::new(Kind::Usage, what).hint(format!("there are: {}", names.join(", "))))
            }
        }
    }

    /// Which one is meant where nothing says.
    pub fn default_name(&self) -> &str {
        self.default_profile.as_deref().unwrap_or(BUILT_IN)
    }

    /// The built-in profile first.
    pub fn names(&self) -> Vec<&str> {
        let own = self.profiles.keys().map(String::as_str).filter(|name| *name != BUILT_IN);
        [BUILT_IN].into_iter().chain(own).collect()
    }
}

/// All keys, for the test that holds the documentation to them.
pub fn keys() -> impl Iterator<Item = &'static str> {
    TOP_KEYS.into_iter().chain(GIT_KEYS).chain(PROFILE_KEYS).chain(ETCD_KEYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPANY: &str = "[profiles.company]\nissuer = 'https://id.example'\nclient_id = 'cli'\n";

    fn parse(text: &str) -> Result<Config> {
        Config::parse(Path::new("/c.toml"), text)
    }

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err();
        assert!([Kind::Configuration, Kind::Usage].contains(&error.kind));
        error.text()
    }

    #[test]
    fn a_mistake_names_the_line_and_the_nearest_right_word() {
        for (text, says) in [
            (
                "\nprofile = 1",
                "/c.toml, line 2: there is no key \"profile\" here; did you mean \"profiles\"?",
            ),
            (
                "[git]\nstorage = 'keyrng'",
                "line 2: storage is one of file, keyring, none, not \"keyrng\"; did you mean \"keyring\"?",
            ),
            (
                &format!("{COMPANY}host = ['a.example']"),
                "line 4: there is no key \"host\" here; did you mean \"hosts\"?",
            ),
            (
                &format!("{COMPANY}storage = 'codex'"),
                "line 4: storage = \"codex\" is for the profile codex alone",
            ),
            (
                &format!("{COMPANY}zzzzzzzzzzzzzzz = 1"),
                "line 4: there is no key \"zzzzzzzzzzzzzzz\" here",
            ),
            (&format!("{COMPANY}scope = 1"), "line 4: scope takes one line of text"),
            (&format!("{COMPANY}hosts = 'a.example'"), "line 4: hosts is a list"),
            (
                &format!("{COMPANY}token_endpoint = 'http://a.example/t'"),
                "line 4: token_endpoint is an https URL, or http on a loopback address",
            ),
            ("[profiles.company]\nclient_id = 'a'", "line 1: the profile company has no issuer"),
            (
                "[profiles.company]\nissuer = 'https://a.example'",
                "line 1: the profile company has no client_id",
            ),
            ("[profiles.'a b']\n", "line 1: a profile's name has"),
            (
                "[profiles.codex]\nhosts = ['a.example']",
                "line 2: the profile codex has no \"hosts\"",
            ),
            ("a = [", "line 1: "),
        ] {
            let message = refused(text);
            assert!(message.contains(says), "{text}: {message}");
        }
        assert_eq!(
            refused(&format!("default_profile = 'compnay'\n{COMPANY}")),
            "there is no profile \"compnay\"; did you mean \"company\"?"
        );
    }

    #[test]
    fn a_host_is_written_as_a_request_has_it_and_belongs_to_one_profile() {
        for host in
            ["a.example", "a.example:8443", "127.0.0.1:80", "[::1]:81", "xn--bcher-kva.example"]
        {
            assert!(parse(&format!("{COMPANY}hosts = ['{host}']")).is_ok(), "{host}");
        }
        for host in [
            "A.example",
            "https://a.example",
            "u@a.example",
            "a.example/b",
            "a.example:443",
            "",
            "a b",
            "bücher.example",
            "a.example:",
            "*.example",
        ] {
            let message = refused(&format!("{COMPANY}hosts = ['{host}']"));
            assert!(message.contains("line 4: "), "{host}: {message}");
        }
        let other = COMPANY.replace("company", "other");
        let both =
            format!("{COMPANY}hosts = ['a.example']\n{other}hosts = ['b.example', 'a.example']");
        assert!(
            refused(&both).contains("the host a.example belongs to the profiles company and other")
        );
        let ours = refused(&format!("{COMPANY}hosts = ['chatgpt.com']"));
        assert!(ours.contains("belongs to the profiles codex and company"), "{ours}");
    }

    #[test]
    fn the_host_of_a_request_picks_the_profile() {
        let config = parse(&format!("{COMPANY}hosts = ['a.example']")).unwrap();
        assert_eq!(config.owner(b"A.EXAMPLE"), Some("company"));
        assert_eq!(config.owner(b"chatgpt.com"), Some("codex"));
        assert_eq!(config.owner(b"b.example"), None);
        assert_eq!(config.git, GitStorage::File);
    }
}
