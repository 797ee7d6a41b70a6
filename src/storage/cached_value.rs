//! One value of a local storage: in a file, or in a keyring item. A keyring item has a copy in memory, which is as fast to
//! read as a file.

use crate::error::Result;
use crate::storage::files::{Bytes, folder_of, read, remove, replace};
use crate::storage::location::Location;
use crate::storage::login_dir::create_private;
use std::path::PathBuf;

pub struct CachedValue {
    pub location: Location,
    /// The file of the copy, for a value that is slow to read.
    pub copy: Option<PathBuf>,
}

impl CachedValue {
    pub fn read(&self) -> Result<Option<Bytes>> {
        self.location.read()
    }

    /// Reads the value or its copy from a file. `None` says nothing about a value in the keyring.
    pub fn read_cached(&self) -> Result<Option<Bytes>> {
        match (&self.copy, &self.location) {
            (Some(copy), _) => Ok(read(copy).ok().flatten()),
            (None, Location::File(path)) => read(path),
            (None, Location::Keyring(_)) => Ok(None),
        }
    }

    pub fn read_nearest(&self) -> Result<Option<Bytes>> {
        match self.read_cached()? {
            Some(copy) => Ok(Some(copy)),
            None => self.read(),
        }
    }

    /// Writes the value, then its copy. A kill in between leaves no copy of the old value.
    pub fn write(&self, value: &[u8], copy: &[u8]) -> Result<()> {
        self.remove_copy()?;
        self.location.write(value)?;
        self.write_copy(copy)
    }

    /// Writes the copy of a value that was read under the lock that the caller still holds.
    pub fn write_copy(&self, copy: &[u8]) -> Result<()> {
        let Some(path) = &self.copy else { return Ok(()) };
        create_private(folder_of(path))?;
        replace(path, copy)
    }

    pub fn remove(&self) -> Result<bool> {
        self.remove_copy()?;
        self.location.remove()
    }

    fn remove_copy(&self) -> Result<()> {
        let Some(path) = &self.copy else { return Ok(()) };
        remove(path).map(drop)
    }
}
