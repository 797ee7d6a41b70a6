//! The files of a shared login on this host: the login directory, and a copy of the access token, so that a warm `get`
//! sends no request.

use crate::error::Result;
use crate::folders::Folders;
use crate::login::Login;
use crate::private;
use crate::storage::CachedLogin;
use crate::storage::etcd_settings::Settings;
use crate::storage::files::folder_of;
use crate::storage::local::folder_name;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::Record;
use crate::tokens::Fingerprint;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a read leaves of its caller's time, so that its error can name the endpoints.
const REST: Duration = Duration::from_secs(1);

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
    /// The number of the last refresh request of this machine since it started; `None` without a folder in memory. No copy
    /// of the state folder, on another machine or shared by one, has it.
    sent: Option<PathBuf>,
    pub is_cached: bool,
    /// How long a read from etcd may take.
    pub read_timeout: Cell<Duration>,
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
            sent: folders.runtime.as_ref().map(|runtime| runtime.join(&folder).join("sent")),
            is_cached,
            read_timeout: Cell::new(timeout.saturating_sub(REST).max(timeout * 3 / 4)),
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

    /// See [`Self::was_sent_here`].
    pub fn record_sent(&self, request: &str) -> Result<()> {
        let Some(path) = &self.sent else { return Ok(()) };
        private::create_own_dir(folder_of(path))?;
        Record::new(path.clone()).save(&request.to_owned())
    }

    /// Returns whether this machine has sent `request`, and no other one can have. In doubt, another host has.
    pub fn was_sent_here(&self, request: &str) -> bool {
        let sent = self.sent.as_ref().map(|path| Record::<String>::new(path.clone()).load());
        matches!(sent, Some(Ok(Some(sent))) if sent == request)
    }

    pub fn copy_record(&self) -> Record<AccessCopy> {
        Record::new(self.copy.clone())
    }

    pub fn sign_in_dir(&self) -> LoginDir {
        LoginDir::of_sign_ins(self.login_dir.dir())
    }
}
