//! Brings what lies on this machine up to what lies in etcd.

use crate::error::Result;
use crate::fleet::local::{Copy, Local};
use crate::fleet::snapshot::Snapshot;
use crate::storage::login_dir::create_private;
use crate::storage::records::Record;
use serde_json::Value;
use std::path::Path;

impl Local {
    /// Brings what lies on this machine up to `snapshot`.
    pub fn mirror(&self, snapshot: &Snapshot) -> Result<()> {
        self.login_dir.create()?;
        let dead = self.login_dir.dead::<Value>();
        if let Some(known) = snapshot.record::<Value>("dead")
            && dead.load()?.as_ref() != Some(&known)
        {
            dead.save(&known)?;
        }
        self.mirror_pending(snapshot)?;
        let document = snapshot.document(&self.settings)?;
        let (revision, before) = (snapshot.modified("access"), self.read_copy());
        if before.as_ref().map(|copy| copy.revision) == Some(revision) {
            return Ok(());
        }
        let Some(document) = document else {
            self.copy_record().remove()?;
            return Ok(());
        };
        let signed_in_at = document.signed_in_at();
        if self.is_cached {
            create_private(self.copy.parent().unwrap_or(Path::new(".")))?;
            let login = document.without_long_lived();
            self.copy_record().save(&Copy { revision, login })?;
        }
        // Somebody has signed in on another host: those who wait for that here hear of it.
        if before.is_none_or(|before| before.login.signed_in_at() != signed_in_at) {
            self.login_dir.signed_in().save(&signed_in_at.to_string())?;
        }
        // The waiters here sleep on this folder, whatever is cached.
        Record::new(self.login_dir.dir().join("revision")).save(&revision)
    }

    fn mirror_pending(&self, snapshot: &Snapshot) -> Result<()> {
        let (mirrored, here) = (self.mirrored(), self.login_dir.pending::<Value>());
        match snapshot.pending(&self.settings)? {
            Some(pending) if here.load()?.as_ref() != Some(&pending) => {
                here.save(&pending)?;
                mirrored.save(&true)?;
            }
            None if mirrored.load()? == Some(true) => {
                here.remove()?;
                mirrored.remove()?;
            }
            _ => {}
        }
        Ok(())
    }
}
