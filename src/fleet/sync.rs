//! Updates the files on this host from a snapshot of etcd.

use crate::error::Result;
use crate::fleet::local::{AccessCopy, LocalFiles};
use crate::fleet::snapshot::Snapshot;
use crate::storage::login_dir::create_private;
use crate::storage::records::{InvalidToken, Record, SignedIn};
use std::path::Path;

impl LocalFiles {
    pub fn update(&self, snapshot: &Snapshot) -> Result<()> {
        self.login_dir.create()?;
        self.sign_in_dir().create()?;
        self.update_invalid_token(snapshot)?;
        self.update_pending(snapshot)?;
        self.update_copy(snapshot)
    }

    fn update_invalid_token(&self, snapshot: &Snapshot) -> Result<()> {
        let here = self.login_dir.invalid_token();
        match snapshot.record::<InvalidToken>("invalid-token") {
            Some(invalid) if here.load()?.as_ref() != Some(&invalid) => here.save(&invalid),
            _ => Ok(()),
        }
    }

    /// A device authorization of this host is in etcd before it is in a file.
    fn update_pending(&self, snapshot: &Snapshot) -> Result<()> {
        let here = self.sign_in_dir().device_authorization();
        match snapshot.pending()? {
            Some(pending) if here.load()?.as_ref() != Some(&pending) => here.save(&pending),
            Some(_) => Ok(()),
            None => here.remove(),
        }
    }

    fn update_copy(&self, snapshot: &Snapshot) -> Result<()> {
        let login = snapshot.login()?;
        let (revision, before) = (snapshot.modified("access"), self.read_copy());
        if before.as_ref().map(|copy| copy.revision) == Some(revision) {
            return Ok(());
        }
        let Some(login) = login else {
            return self.copy_record().remove();
        };
        let signed_in_at = login.signed_in_at();
        let account = login.account().clone();
        if self.is_cached {
            create_private(self.copy.parent().unwrap_or(Path::new(".")))?;
            let login = login.without_long_lived();
            self.copy_record().save(&AccessCopy { revision, login })?;
        }
        // Callers on this host that wait for a sign-in see one that another host completed.
        if before.is_none_or(|before| before.login.signed_in_at() != signed_in_at) {
            let signed_in = SignedIn { id: signed_in_at.to_string(), account };
            self.sign_in_dir().signed_in().save(&signed_in)?;
        }
        // Callers watch the login directory, which a change of the copy alone would not touch.
        Record::new(self.login_dir.dir().join("revision")).save(&revision)
    }
}
