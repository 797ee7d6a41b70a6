//! One small JSON file: replaced whole, read without a lock.

use crate::error::{Error, IoResultExt, Result};
use crate::storage::files::replace;
use crate::storage::files_read::read;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::PathBuf;

pub struct Record<T> {
    path: PathBuf,
    content: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Record<T> {
    pub fn new(path: PathBuf) -> Self {
        Self { path, content: PhantomData }
    }

    /// What is recorded. A record that cannot be understood (one of another version) counts as none.
    pub fn load(&self) -> Result<Option<T>> {
        let bytes = read(&self.path).context("read", &self.path)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub fn save(&self, content: &T) -> Result<()> {
        let json = serde_json::to_vec(content).expect("records serialize");
        replace(&self.path, &json)
    }

    /// Removes the record; fine if there is none.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }
}
