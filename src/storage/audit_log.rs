//! The audit log: a file of JSON lines in the state folder, and the full file before it. One write appends one line, so
//! that the lines of several processes do not mix. Nothing waits for a lock.

use crate::error::{Error, IoResultExt, Result};
use crate::folders::Folders;
use crate::storage::files::{folder_of, read};
use crate::storage::lock::Lock;
use crate::storage::login_dir::create_private;
use serde::Deserialize;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
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
        match OpenOptions::new().append(true).open(&self.path) {
            Ok(_) => Ok(format!("{shown} can be written")),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(format!("{shown} does not exist yet"))
            }
            Err(error) => Err(Error::io("write", &self.path, error)),
        }
    }

    /// Appends `line`, which has no line break.
    pub fn append(&self, line: &str) -> Result<()> {
        create_private(folder_of(&self.path))?;
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let cannot = |error| Error::io("write", &self.path, error);
        let mut file = options.open(&self.path).map_err(cannot)?;
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
            let bytes = read(&path)?.unwrap_or_default();
            lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        Ok(lines)
    }
}
