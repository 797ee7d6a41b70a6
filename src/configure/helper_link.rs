//! The link to this program by the name that Docker calls, `docker-credential-codex-credential`.

use crate::configure::entry::EntryState;
use crate::configure::program::Program;
use crate::error::{Error, Kind, Result};
use crate::programs::{DOCKER_NAME, DOCKER_SUFFIX};
use crate::quote;
use crate::storage::files::remove;
use crate::ui;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};

/// A link beside the program; on Windows, where a link needs a privilege, a copy.
pub struct HelperLink {
    pub path: PathBuf,
    program: PathBuf,
}

impl HelperLink {
    pub fn new(program: &Program) -> Self {
        let program = PathBuf::from(&program.path);
        Self { path: program.with_file_name(format!("{DOCKER_NAME}{EXE_SUFFIX}")), program }
    }

    pub fn state(&self) -> EntryState {
        let Ok(found) = fs::symlink_metadata(&self.path) else { return EntryState::Absent };
        let target = fs::read_link(&self.path).unwrap_or_default();
        let is_copy = cfg!(windows) && found.is_file();
        let is_same = || fs::read(&self.path).ok() == fs::read(&self.program).ok();
        if target == self.target() || (is_copy && is_same()) {
            EntryState::Current
        } else if is_copy || target.file_name() == self.program.file_name() {
            EntryState::Outdated
        } else {
            EntryState::Other("is another program".into())
        }
    }

    /// Tells whether Docker's configuration calls the link for any host.
    pub fn is_used_by(config: &str) -> bool {
        config.contains(&format!("\"{DOCKER_SUFFIX}\""))
    }

    pub fn show(&self, sign: char) {
        ui::line(&format!("{sign}{} -> {}", self.path.display(), self.target().display()));
    }

    /// Returns the target of the link: the name alone, because the program is in the same folder.
    fn target(&self) -> &Path {
        Path::new(self.program.file_name().unwrap_or_default())
    }

    /// Makes the link, and replaces a file that has its path.
    pub fn make(&self) -> Result<()> {
        let _ = fs::remove_file(&self.path);
        #[cfg(unix)]
        let made = std::os::unix::fs::symlink(self.target(), &self.path);
        #[cfg(not(unix))]
        let made = fs::copy(&self.program, &self.path).map(drop);
        made.map_err(|error| {
            let (target, path) = (self.target().display(), quote::shell_path(&self.path));
            Error::new(Kind::Storage, format!("cannot make the link {}", self.path.display()))
                .caused_by(error)
                .hint(format!("if only root may write there, run: sudo ln -s {target} {path}"))
        })
    }

    pub fn remove(&self) -> Result<()> {
        remove(&self.path).map(drop)
    }
}
