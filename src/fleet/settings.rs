//! Where a fleet keeps its login: the table `[profiles.NAME.etcd]`.

use std::path::PathBuf;
use std::time::Duration;

/// What a host may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Writer,
    /// It decrypts access tokens alone, and renews nothing.
    Reader,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// URLs: https, or http on loopback.
    pub endpoints: Vec<String>,
    /// Begins the names of all keys.
    pub prefix: String,
    /// PEM: the certificate authority of the endpoints; the platform's where there is none.
    pub ca_file: Option<PathBuf>,
    /// PEM: this host's certificate, and its key.
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub user: Option<String>,
    /// Nothing but the password on one line.
    pub password_file: Option<PathBuf>,
    /// The age recipients of those who renew the login.
    pub recipients: Vec<String>,
    /// And of those who only read its access tokens.
    pub readers: Vec<String>,
    /// The age identity of this host.
    pub identity_file: PathBuf,
    pub role: Role,
    /// How long a host that renews may be out of reach before another takes its place.
    pub lease: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            prefix: "codex-credential".into(),
            ca_file: None,
            certificate_file: None,
            key_file: None,
            user: None,
            password_file: None,
            recipients: Vec::new(),
            readers: Vec::new(),
            identity_file: PathBuf::new(),
            role: Role::Writer,
            lease: Duration::from_secs(10),
        }
    }
}
