//! What lies on this machine of a login in etcd: the files of its Place, and a copy of the access token, so that a warm
//! `get` asks nobody. It knows no wire: the answering program links this file alone of the folder.

use crate::fleet::settings::Settings;
use crate::folders::Folders;
use crate::storage::CachedLogin;
use crate::storage::files_read::read;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::Record;
use crate::storage::stored_login::StoredLogin;
use crate::tokens::Fingerprint;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For reading, at most.
const PATIENCE: Duration = Duration::from_secs(15);

/// The copy of the access token.
#[derive(Serialize, Deserialize)]
pub struct Copy {
    /// When the record was written that it is of.
    pub revision: i64,
    pub login: StoredLogin,
}

#[derive(Debug)]
pub struct Local {
    pub settings: Settings,
    /// Begins the names of this login's keys.
    pub prefix: String,
    pub login_dir: LoginDir,
    pub copy: PathBuf,
    pub is_cached: bool,
    /// For one question to etcd.
    pub patience: Duration,
}

impl Local {
    /// `granted_by` names issuer, client, scope and all else that makes one login another; the first names the
    /// issuer's host. `patience` is how long an answer is waited for.
    pub fn new(
        settings: Settings,
        folders: &Folders,
        granted_by: &[&str],
        is_cached: bool,
        patience: Duration,
    ) -> Self {
        let name = crate::storage::local::name_of(granted_by);
        let prefix = format!("{}/{name}/", settings.prefix.trim_end_matches('/'));
        let meant =
            Fingerprint::of(format!("{}\0{prefix}", settings.endpoints.join("\0")).as_bytes());
        let folder = Path::new("fleets").join(format!("{name}-{}", meant.prefix(16)));
        // In memory where the system has a folder for that: the copy need not outlive a restart.
        let copies = folders.runtime.as_ref().unwrap_or(&folders.state);
        Self {
            prefix,
            login_dir: LoginDir::new(folders.state.join(&folder)),
            copy: copies.join(&folder).join("access"),
            is_cached,
            // Less than the caller's, so that it hears which endpoint did not answer.
            patience: (patience * 3 / 4).min(PATIENCE),
            settings,
        }
    }

    /// Returns the login as files alone tell it; takes no lock and asks no keyring.
    pub fn read_cached(&self) -> Option<CachedLogin> {
        if !self.is_cached {
            return None;
        }
        let login = self.read_copy()?.login.login();
        Some(CachedLogin { login, login_dir: self.login_dir.clone() })
    }

    pub fn read_copy(&self) -> Option<Copy> {
        let document = read(&self.copy).ok()??;
        serde_json::from_slice(&document).ok()
    }

    pub fn copy_record(&self) -> Record<Copy> {
        Record::new(self.copy.clone())
    }

    /// Whether `pending` is of another host, or was published by this one.
    pub fn mirrored(&self) -> Record<bool> {
        Record::new(self.login_dir.dir().join("pending-is-shared"))
    }
}
