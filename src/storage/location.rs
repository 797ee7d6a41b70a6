//! One spot that holds a login document: a file, or an item of the keyring.

use crate::clock;
use crate::error::{IoResultExt, Result};
use crate::storage::files::{probe, replace, sync_folder, target};
use crate::storage::files_read::{Bytes, read};
use crate::storage::keyring::Item;
use crate::storage::seal::Seal;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Symbolic links are followed, and survive.
    File(PathBuf),
    Keyring(Item),
}

impl Location {
    pub fn read(&self) -> Result<Option<Bytes>> {
        match self {
            Self::Keyring(item) => item.load(),
            Self::File(path) => read(path).context("read", path),
        }
    }

    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Keyring(item) => item.save(bytes),
            Self::File(path) => replace(&target(path), bytes),
        }
    }

    pub fn remove(&self) -> Result<bool> {
        let path = match self {
            Self::Keyring(item) => {
                item.journal_key().remove()?;
                return item.remove();
            }
            Self::File(path) => target(path),
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            removed => removed.context("remove", &path)?,
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        sync_folder(folder).context("sync", folder)?;
        Ok(true)
    }

    /// Proves that [`Location::write`] would work now. A keyring proves it by keeping a fresh key, which seals what has to
    /// lie in a file for a moment.
    pub fn probe(&self) -> Result<Option<Seal>> {
        match self {
            Self::File(path) => {
                probe(&target(path))?;
                Ok(None)
            }
            Self::Keyring(item) => {
                let seal = Seal::new()?;
                item.journal_key().save(seal.bytes())?;
                Ok(Some(seal))
            }
        }
    }

    /// The key of the last [`Location::probe`].
    pub fn seal(&self) -> Result<Option<Seal>> {
        let Self::Keyring(item) = self else { return Ok(None) };
        let key = item.journal_key().load()?;
        Ok(key.and_then(|key| Seal::from_bytes(&key)))
    }

    /// Renames a file that cannot be understood to `auth.json.corrupt-TIME`, so that nothing is lost with it. A
    /// keyring item is left to be replaced: a copy of it on the disk would be worse.
    pub fn set_aside(&self) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        let path = target(path);
        let aside = format!("{}.corrupt-{}", path.display(), clock::now());
        fs::rename(&path, aside).context("set aside", &path)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Keyring(item) => item.fmt(f),
        }
    }
}
