//! Where one value is kept: in a file, or in an item of the keyring.

use crate::clock;
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::private::{self, Access};
use crate::storage::files::{Bytes, folder_of, follow_links, probe_replace, read, remove, replace};
use crate::storage::journal::RequestKind;
use crate::storage::keyring::Item;
use crate::storage::seal::Seal;
use std::fmt;
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A symbolic link is followed, and stays a link when its target is replaced.
    File(PathBuf),
    Keyring {
        item: Item,
        /// A file in memory with what callers may read without the keyring.
        copy: Option<PathBuf>,
    },
}

impl Location {
    /// Returns the value; `None` where the file or the item does not exist.
    pub fn read(&self) -> Result<Option<Bytes>> {
        match self {
            Self::Keyring { item, .. } => item.load(),
            Self::File(path) => read(path),
        }
    }

    /// Reads the value or its copy from a file. `None` says nothing about a value in the keyring.
    pub fn read_cached(&self) -> Result<Option<Bytes>> {
        match self {
            Self::Keyring { copy, .. } => Ok(copy.as_ref().and_then(|copy| read(copy).ok()?)),
            Self::File(path) => read(path),
        }
    }

    /// Returns the copy, else the value.
    pub fn read_nearest(&self) -> Result<Option<Bytes>> {
        match self.read_cached()? {
            Some(copy) => Ok(Some(copy)),
            None => self.read(),
        }
    }

    /// Replaces the value, on disk or in the keyring when this returns. Creates a missing folder.
    pub fn write(&self, value: &[u8]) -> Result<()> {
        match self {
            Self::Keyring { item, .. } => item.save(value),
            Self::File(path) => {
                private::create_dir(folder_of(path))?;
                replace(&follow_links(path), value)
            }
        }
    }

    /// Writes the value, then its copy. A kill in between leaves no copy of the old value.
    pub fn write_with_copy(&self, value: &[u8], copy: &[u8]) -> Result<()> {
        self.remove_copy()?;
        self.write(value)?;
        self.write_copy(copy)
    }

    /// Writes the copy of a value that was read under the lock that the caller still holds.
    pub fn write_copy(&self, copy: &[u8]) -> Result<()> {
        let Self::Keyring { copy: Some(path), .. } = self else { return Ok(()) };
        private::create_dir(folder_of(path))?;
        replace(path, copy)
    }

    fn remove_copy(&self) -> Result<()> {
        let Self::Keyring { copy: Some(path), .. } = self else { return Ok(()) };
        remove(path).map(drop)
    }

    /// Removes the file or the item, its copy, and the key of its journal. Returns whether there was a file or an item.
    pub fn remove(&self) -> Result<bool> {
        self.remove_copy()?;
        self.remove_seal(RequestKind::Refresh)?;
        match self {
            Self::Keyring { item, .. } => item.remove(),
            Self::File(path) => remove(&follow_links(path)),
        }
    }

    /// Proves that [`Location::write`] can write now. Changes nothing that recovery needs.
    pub fn probe(&self) -> Result<()> {
        match self {
            Self::File(path) => {
                private::create_dir(folder_of(path))?;
                probe_replace(&follow_links(path))
            }
            Self::Keyring { item, .. } => item.probe(),
        }
    }

    /// Proves that [`Location::write`] can write now, before `request` is sent. Returns the key that seals the answer in
    /// the journal of `request`; `None` for a file, whose answer is not sealed.
    pub fn new_seal(&self, request: RequestKind) -> Result<Option<Seal>> {
        let Self::Keyring { item, .. } = self else { return self.probe().map(|()| None) };
        // An answer that was kept is sealed with the key of an earlier request. Writing the key proves that writing works.
        let seal = self.seal(request)?.map_or_else(Seal::new, Ok)?;
        item.journal_key(request).save(seal.bytes())?;
        Ok(Some(seal))
    }

    /// Returns the key of the last [`Location::new_seal`] for `request`.
    pub fn seal(&self, request: RequestKind) -> Result<Option<Seal>> {
        let Self::Keyring { item, .. } = self else { return Ok(None) };
        let key = item.journal_key(request).load()?;
        Ok(key.and_then(|key| Seal::from_bytes(&key)))
    }

    /// Removes the key that [`Location::new_seal`] made for `request`, if there is one.
    pub fn remove_seal(&self, request: RequestKind) -> Result<()> {
        let Self::Keyring { item, .. } = self else { return Ok(()) };
        item.journal_key(request).remove().map(drop)
    }

    /// Whether it is a device, a FIFO or a folder.
    pub fn is_special(&self) -> bool {
        let Self::File(path) = self else { return false };
        path.metadata().is_ok_and(|found| !found.is_file())
    }

    /// Renames a damaged file to `auth.json.corrupt-TIME`, and makes it private. A keyring item stays and is replaced, because a copy in a
    /// file would expose it.
    ///
    /// # Errors
    /// `Storage` for a device or a FIFO.
    pub fn set_aside(&self) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        if self.is_special() {
            return Err(Error::new(Kind::Storage, format!("{self} is not a regular file")));
        }
        let path = follow_links(path);
        let aside = PathBuf::from(format!("{}.corrupt-{}", path.display(), clock::now()));
        fs::rename(&path, &aside).context("set aside", &path)?;
        // The copy may have a refresh token. Opening makes it private; an error must not keep the new login back.
        let _ = private::open(&aside, Access::Append);
        Ok(())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Keyring { item, .. } => item.fmt(f),
        }
    }
}
