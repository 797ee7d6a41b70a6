//! One small JSON file: replaced whole, read without a lock.

use crate::error::Result;
use crate::storage::files::{read, remove, replace};
use serde::Serialize;
use serde::de::DeserializeOwned;
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
        let bytes = read(&self.path)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub fn save(&self, content: &T) -> Result<()> {
        let json = serde_json::to_vec(content).expect("records serialize");
        replace(&self.path, &json)
    }

    /// Removes the record; fine if there is none.
    pub fn remove(&self) -> Result<()> {
        remove(&self.path).map(drop)
    }
}
