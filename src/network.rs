//! The settings of the network: variables of the environment and of `$CODEX_HOME/.env`, as Codex 0.171.0 reads them.
//!
//! A variable of the file overrides that of the environment, also where it is empty; of several, the last counts; a line that
//! cannot be read is skipped. Codex ignores names that begin with `CODEX_`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More than any such file.
const LIMIT: u64 = 64 * 1024;

#[derive(Clone, Debug, Default)]
pub struct Network {
    /// PEM certificates to trust in addition to the platform's.
    pub extra_ca: Option<PathBuf>,
    file: HashMap<String, String>,
}

impl Network {
    /// `codex_home` is the folder of `.env`, for logins of Codex.
    pub fn new(extra_ca: Option<PathBuf>, codex_home: Option<&Path>) -> Self {
        let file = codex_home.map(|folder| read(&folder.join(".env"))).unwrap_or_default();
        Self { extra_ca, file }
    }

    #[expect(clippy::disallowed_methods, reason = "libraries read these variables, too")]
    pub fn variable(&self, name: &str) -> Option<OsString> {
        match self.file.get(name) {
            Some(value) => Some(value.into()),
            None => std::env::var_os(name),
        }
    }

    /// Returns the file of certificates that `.env` names. The TLS library reads that of the environment.
    pub fn certificates_of_file(&self) -> Option<PathBuf> {
        self.file.get("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

/// Returns the variables in the file at `path`; none if there is no such regular file.
fn read(path: &Path) -> HashMap<String, String> {
    let mut text = Vec::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
    {
        let _ = file.take(LIMIT).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let variables = dotenvy::from_read_iter(text.as_bytes()).flatten();
    variables.filter(|(name, _)| !name.to_ascii_uppercase().starts_with("CODEX_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn file_is_read_as_codex_reads_it() {
        for (text, expected) in [
            ("HTTPS_PROXY=http://a:1\n", Some("http://a:1")),
            ("# a\nexport HTTPS_PROXY=\"http://a:1\" # b\n", Some("http://a:1")),
            ("HTTPS_PROXY = 'http://a:1'\r\n", Some("http://a:1")),
            ("P=1\nHTTPS_PROXY=http://a:${P}\n", Some("http://a:1")),
            ("this is bad\nHTTPS_PROXY=http://a:1\n", Some("http://a:1")),
            ("HTTPS_PROXY=http://b:2\nHTTPS_PROXY=http://a:1\n", Some("http://a:1")),
            ("HTTPS_PROXY=\n", Some("")),
            ("\u{feff}HTTPS_PROXY=http://a:1\n", None),
            ("", None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(".env"), text).unwrap();
            let network = Network::new(None, Some(folder.path()));
            assert_eq!(network.file.get("HTTPS_PROXY").map(String::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn names_of_codex_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let text = "CODEX_HOME=/a\ncodex_x=b\nSSL_CERT_FILE=/c\n";
        fs::write(folder.path().join(".env"), text).unwrap();
        let network = Network::new(None, Some(folder.path()));
        assert_eq!(network.file.len(), 1);
        assert_eq!(network.certificates_of_file(), Some("/c".into()));
    }
}
