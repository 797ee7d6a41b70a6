//! The audit log: one file of JSON lines in the state folder, and the one before it. A line is appended in one write,
//! so that those of several processes do not mix, and no lock is waited for.

use crate::error::{Error, IoResultExt, Result};
use crate::folders::Folders;
use crate::storage::files_read::read;
use crate::storage::lock::Lock;
use crate::storage::login_dir::create_private;
use serde::Deserialize;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// When the file becomes the one before, in bytes: some thousand lines, and less than is read whole.
const FULL: u64 = 1024 * 1024;

/// What is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditLevel {
    #[serde(rename = "none")]
    Nothing,
    /// What changes a login.
    #[default]
    Changes,
    /// Each token that is handed out, too.
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

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a line could be appended, in words; makes no file.
    pub fn probe(&self) -> Result<String> {
        let shown = self.path.display();
        match OpenOptions::new().append(true).open(&self.path) {
            Ok(_) => Ok(format!("{shown} is written")),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(format!("{shown} has nothing yet"))
            }
            Err(error) => Err(Error::io("write", &self.path, error)),
        }
    }

    /// `line` has no line break.
    pub fn append(&self, line: &str) -> Result<()> {
        create_private(self.path.parent().unwrap_or(Path::new(".")))?;
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let cannot = |error| Error::io("write", &self.path, error);
        let mut file = options.open(&self.path).map_err(cannot)?;
        file.write_all(format!("{line}\n").as_bytes()).map_err(cannot)?;
        if file.metadata().is_ok_and(|file| file.len() > FULL) { self.rotate() } else { Ok(()) }
    }

    /// Of several who find it full, one turns it over, once.
    fn rotate(&self) -> Result<()> {
        let Some(_lock) = Lock::try_acquire(&self.path.with_extension("lock"))? else {
            return Ok(());
        };
        if self.path.metadata().is_ok_and(|file| file.len() > FULL) {
            fs::rename(&self.path, self.before()).context("rename", &self.path)?;
        }
        Ok(())
    }

    fn before(&self) -> PathBuf {
        self.path.with_extension("log.1")
    }

    /// All lines that are kept, the oldest first.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for path in [self.before(), self.path.clone()] {
            let bytes = read(&path).context("read", &path)?;
            let bytes = bytes.unwrap_or_default();
            lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        Ok(lines)
    }
}
