//! A second name for this program, beside it: Docker calls its helper by a name that it fixes.

use crate::configure::entry::State;
use crate::configure::program::Program;
use crate::error::{Error, Result};
use crate::ui;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

pub struct Link {
    pub path: PathBuf,
    program: PathBuf,
}

impl Link {
    pub fn new(program: &Program, name: &str) -> Self {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        Self { path: program.path().with_file_name(name), program: program.path().to_owned() }
    }

    pub fn state(&self) -> Result<State> {
        let found = match fs::symlink_metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Absent),
            Err(error) => return Err(Error::io("read", &self.path, error)),
        };
        if found.is_symlink() {
            let target =
                fs::read_link(&self.path).map_err(|error| Error::io("read", &self.path, error))?;
            return Ok(if target.as_os_str() == self.target() {
                State::Current
            } else if target.file_name() == self.program.file_name() {
                State::Outdated
            } else {
                State::Another("is a link to another program".into())
            });
        }
        if cfg!(unix) || !found.is_file() {
            return Ok(State::Another("is another program".into()));
        }
        let is_current = fs::read(&self.path).ok() == fs::read(&self.program).ok();
        Ok(if is_current { State::Current } else { State::Outdated })
    }

    /// The program lies in the same folder, so that its name alone leads there.
    fn target(&self) -> &OsStr {
        self.program.file_name().unwrap_or_default()
    }

    pub fn show(&self, sign: &str) {
        ui::line(&format!("{sign} {} -> {}", self.path.display(), self.target().display()));
    }

    /// Makes the link, in the place of what is there.
    pub fn make(&self) -> Result<()> {
        let made = remove(&self.path).and_then(|()| {
            #[cfg(unix)]
            let made = std::os::unix::fs::symlink(self.target(), &self.path);
            // Elsewhere a link needs rights that a user may lack.
            #[cfg(not(unix))]
            let made = fs::copy(&self.program, &self.path).map(drop);
            made
        });
        made.map_err(|error| {
            Error::io("write", &self.path, error).hint(format!(
                "nothing was changed; where only root may write there, run: sudo ln -s {} '{}'",
                self.target().display(),
                self.path.display()
            ))
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
