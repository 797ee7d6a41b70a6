//! The link to this program by the name that Docker calls, `docker-credential-codex-credential`.

use crate::configure::entry::EntryState;
use crate::configure::program::Program;
use crate::error::{Error, Kind, Result};
use crate::ui;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A link beside the program; on Windows, where a link needs a privilege, a copy.
pub struct HelperLink {
    pub path: PathBuf,
    program: PathBuf,
}

impl HelperLink {
    pub fn new(program: &Program, name: &str) -> Self {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        Self { path: program.path().with_file_name(name), program: program.path().to_owned() }
    }

    pub fn state(&self) -> Result<EntryState> {
        let read_error = |error| Error::io("read", &self.path, error);
        let found = match fs::symlink_metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(EntryState::Absent),
            Err(error) => return Err(read_error(error)),
        };
        if found.is_symlink() {
            let target = fs::read_link(&self.path).map_err(read_error)?;
            return Ok(if target.as_os_str() == self.target() {
                EntryState::Current
            } else if target.file_name() == self.program.file_name() {
                EntryState::Outdated
            } else {
                EntryState::Other("is a link to another program".into())
            });
        }
        if cfg!(unix) || !found.is_file() {
            return Ok(EntryState::Other("is another program".into()));
        }
        let is_current = fs::read(&self.path).ok() == fs::read(&self.program).ok();
        Ok(if is_current { EntryState::Current } else { EntryState::Outdated })
    }

    /// Returns the target of the link: the name alone, because the program is in the same folder.
    fn target(&self) -> &OsStr {
        self.program.file_name().unwrap_or_default()
    }

    pub fn show(&self, sign: &str) {
        ui::line(&format!("{sign} {} -> {}", self.path.display(), self.target().display()));
    }

    /// Makes the link, and replaces a file that has its path.
    pub fn make(&self) -> Result<()> {
        self.make_link().map_err(|error| {
            let path = self.path.display();
            Error::new(Kind::Storage, format!("cannot make the link {path}")).caused_by(error).hint(
                format!(
                    "if only root may write there, run: sudo ln -s {} '{path}'",
                    self.target().display()
                ),
            )
        })
    }

    fn make_link(&self) -> io::Result<()> {
        let unfinished = self.path.with_extension("unfinished");
        remove(&unfinished)?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(self.target(), &unfinished)?;
        #[cfg(not(unix))]
        fs::copy(&self.program, &unfinished)?;
        fs::rename(&unfinished, &self.path).inspect_err(|_| {
            let _ = remove(&unfinished);
        })
    }

    pub fn remove(&self) -> Result<()> {
        remove(&self.path).map_err(|error| Error::io("remove", &self.path, error))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
