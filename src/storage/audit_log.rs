//! The audit log: a file of JSON lines in the state folder, and the full file before it. One write appends one line, so
//! that the lines of several processes do not mix. Nothing waits for a lock.

use crate::error::{Error, IoResultExt, Result};
use crate::folders::Folders;
use crate::private::{self, Access};
use crate::storage::files::{folder_of, read_own};
use crate::storage::lock::Lock;
use serde::Deserialize;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// The length at which the log is rotated, in bytes: some thousand lines.
const ROTATION_LENGTH: u64 = 1024 * 1024;

/// Which events are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditLevel {
    #[serde(rename = "none")]
    Nothing,
    /// Changes of a login.
    #[default]
    Changes,
    /// Changes, and each token that a caller gets.
    All,
}

#[derive(Clone, Debug)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// # Errors
    /// `Usage` when there is no home folder.
    pub fn of_user() -> Result<Self> {
        Folders::of_user().map(|folders| Self { path: folders.state.join("audit.log") })
    }

    /// Says whether a line can be appended, without creating the file.
    pub fn probe(&self) -> Result<String> {
        let shown = self.path.display();
        if self.path.symlink_metadata().is_err() {
            return Ok(format!("{shown} does not exist yet"));
        }
        private::open(&self.path, Access::Append).context("write", &self.path)?;
        Ok(format!("{shown} can be written"))
    }

    /// Appends `line`, which has no line break.
    pub fn append(&self, line: &str) -> Result<()> {
        private::create_own_dir(folder_of(&self.path))?;
        let cannot = |error| Error::io("write", &self.path, error);
        let mut file = private::open(&self.path, Access::Append).map_err(cannot)?;
        file.write_all(format!("{line}\n").as_bytes()).map_err(cannot)?;
        if file.metadata().is_ok_and(|file| file.len() > ROTATION_LENGTH) {
            self.rotate()
        } else {
            Ok(())
        }
    }

    /// Renames the full log. Of several processes that find it full, only one renames it.
    fn rotate(&self) -> Result<()> {
        let Some(_lock) = Lock::try_acquire(&self.path.with_extension("lock"))? else {
            return Ok(());
        };
        if self.path.metadata().is_ok_and(|file| file.len() > ROTATION_LENGTH) {
            fs::rename(&self.path, self.previous()).context("rename", &self.path)?;
        }
        Ok(())
    }

    fn previous(&self) -> PathBuf {
        self.path.with_extension("log.1")
    }

    /// Returns all lines of both files, the oldest first.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for path in [self.previous(), self.path.clone()] {
            let bytes = read_own(&path)?.unwrap_or_default();
            lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        Ok(lines)
    }
}
