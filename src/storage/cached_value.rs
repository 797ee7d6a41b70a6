//! One value of a private storage: in a file, or in an item of the keyring with a copy of what is no secret for
//! long, in memory, so that reading it costs no more than reading a file.

use crate::error::Result;
use crate::storage::files::{Bytes, folder_of, read, remove, replace};
use crate::storage::location::Location;
use crate::storage::login_dir::create_private;
use crate::storage::seal::Seal;
use std::path::PathBuf;

pub struct CachedValue {
    pub location: Location,
    /// Where the copy lies; only for a spot that is slow to read.
    pub copy: Option<PathBuf>,
}

impl CachedValue {
    /// The value itself.
    pub fn read(&self) -> Result<Option<Bytes>> {
        self.location.read()
    }

    /// What files alone tell: the value or its copy. A missing copy says nothing of the value.
    pub fn read_cached(&self) -> Result<Option<Bytes>> {
        match (&self.copy, &self.location) {
            (Some(copy), _) => Ok(read(copy).ok().flatten()),
            (None, Location::File(path)) => read(path),
            (None, Location::Keyring(_)) => Ok(None),
        }
    }

    /// The copy, else the value.
    pub fn read_nearest(&self) -> Result<Option<Bytes>> {
        match self.read_cached()? {
            Some(copy) => Ok(Some(copy)),
            None => self.read(),
        }
    }

    /// Writes the value and then its copy; a kill in between leaves no copy of what was there before.
    pub fn write(&self, value: &[u8], copy: &[u8]) -> Result<()> {
        self.remove_copy()?;
        if let Location::File(path) = &self.location {
            create_private(folder_of(path))?;
        }
        self.location.write(value)?;
        self.write_copy(copy)
    }

    /// For a value that was read under the lock under which it is written.
    pub fn write_copy(&self, copy: &[u8]) -> Result<()> {
        let Some(path) = &self.copy else { return Ok(()) };
        create_private(folder_of(path))?;
        replace(path, copy)
    }

    pub fn remove(&self) -> Result<bool> {
        self.remove_copy()?;
        self.location.remove()
    }

    pub fn probe(&self) -> Result<Option<Seal>> {
        if let Location::File(path) = &self.location {
            create_private(folder_of(path))?;
        }
        self.location.probe()
    }

    fn remove_copy(&self) -> Result<()> {
        let Some(path) = &self.copy else { return Ok(()) };
        remove(path).map(drop)
    }
}
