//! The files of a shared login on this host: the login directory, and a copy of the access token, so that a warm `get`
//! sends no request.

use crate::folders::Folders;
use crate::login::Login;
use crate::storage::CachedLogin;
use crate::storage::etcd_settings::Settings;
use crate::storage::local::folder_name;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::Record;
use crate::tokens::Fingerprint;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LONGEST_READ: Duration = Duration::from_secs(15);

/// A copy of the access token.
#[derive(Serialize, Deserialize)]
pub struct AccessCopy {
    /// The revision of the key `access` that was copied.
    pub revision: i64,
    pub login: Login,
}

#[derive(Debug)]
pub struct LocalFiles {
    pub settings: Settings,
    /// The first part of this login's key names.
    pub prefix: String,
    pub login_dir: LoginDir,
    pub copy: PathBuf,
    pub is_cached: bool,
    /// How long a read from etcd may take.
    pub read_timeout: Duration,
}

impl LocalFiles {
    /// `identity` lists what separates logins: issuer (first), client id, scope, audience, resource, parameters.
    /// `timeout` is how long the caller waits for a storage.
    pub fn new(
        settings: Settings,
        folders: &Folders,
        identity: &[&str],
        is_cached: bool,
        timeout: Duration,
    ) -> Self {
        let name = folder_name(identity);
        let prefix = format!("{}/{name}/", settings.prefix.trim_end_matches('/'));
        let address = format!("{}\0{prefix}", settings.endpoints.join("\0"));
        let hash = Fingerprint::of(address.as_bytes());
        let folder = Path::new("fleets").join(format!("{name}-{}", hash.prefix(16)));
        // The copy need not outlive a restart.
        let copies = folders.runtime.as_ref().unwrap_or(&folders.state);
        Self {
            prefix,
            login_dir: LoginDir::new(folders.state.join(&folder)),
            copy: copies.join(&folder).join("access"),
            is_cached,
            // Shorter than the caller's timeout, so that the error can name the endpoints.
            read_timeout: (timeout * 3 / 4).min(LONGEST_READ),
            settings,
        }
    }

    /// Returns the login in the files on this host. Takes no lock and opens no connection.
    pub fn read_cached(&self) -> Option<CachedLogin> {
        if !self.is_cached {
            return None;
        }
        let AccessCopy { login, .. } = self.copy_record().load().ok()??;
        Some(CachedLogin { login, login_dir: self.login_dir.clone() })
    }

    pub fn copy_record(&self) -> Record<AccessCopy> {
        Record::new(self.copy.clone())
    }

    pub fn sign_in_dir(&self) -> LoginDir {
        LoginDir::of_sign_ins(self.login_dir.dir())
    }
}
