//! What lies on this machine of a login in etcd: the files of its Place, and a copy of the access token, so that a warm
//! `get` asks nobody. It knows no wire: the answering program links this file alone of the folder.

use super::settings::Settings;
use crate::folders::Folders;
use crate::storage::Glance;
use crate::storage::document::Document;
use crate::storage::gist::ByGist;
use crate::storage::place::Place;
use crate::storage::read::{Bytes, read};
use crate::storage::record::Record;
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
    pub login: Document,
}

#[derive(Debug)]
pub struct Local {
    pub settings: Settings,
    /// Begins the names of this login's keys.
    pub prefix: String,
    pub place: Place,
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
        let name = crate::storage::private::name_of(granted_by);
        let prefix = format!("{}/{name}/", settings.prefix.trim_end_matches('/'));
        let meant =
            Fingerprint::of(format!("{}\0{prefix}", settings.endpoints.join("\0")).as_bytes());
        let folder = Path::new("fleets").join(format!("{name}-{}", meant.prefix(16)));
        // In memory where the system has a folder for that: the copy need not outlive a restart.
        let copies = folders.runtime.as_ref().unwrap_or(&folders.state);
        Self {
            prefix,
            place: Place::new(folders.state.join(&folder)),
            copy: copies.join(&folder).join("access"),
            is_cached,
            // Less than the caller's, so that it hears which endpoint did not answer.
            patience: (patience * 3 / 4).min(PATIENCE),
            settings,
        }
    }

    /// See [`crate::storage::Opened::glance`].
    pub fn glance(&self, by_gist: ByGist) -> Option<Glance> {
        if !self.is_cached {
            return None;
        }
        by_gist(&self.place, &self.copy).or_else(|| {
            let (copy, document) = self.read_document()?;
            let (login, place) = (copy.login.login(), self.place.clone());
            Some(Glance { login, place, document, from_gist: false })
        })
    }

    pub fn read_copy(&self) -> Option<Copy> {
        self.read_document().map(|(copy, _)| copy)
    }

    fn read_document(&self) -> Option<(Copy, Bytes)> {
        let document = read(&self.copy).ok()??;
        Some((serde_json::from_slice(&document).ok()?, document))
    }

    pub fn copy_record(&self) -> Record<Copy> {
        Record::new(self.copy.clone())
    }

    /// Whether `pending` is of another host, or was published by this one.
    pub fn mirrored(&self) -> Record<bool> {
        Record::new(self.place.dir().join("pending-is-shared"))
    }
}
