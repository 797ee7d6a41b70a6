//! A shared login that connects to etcd only when the files on this host are not enough.

use crate::fleet::etcd::EtcdStorage;
use crate::fleet::local::LocalFiles;
use crate::storage::{CachedLogin, Storage};
use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

#[derive(Debug)]
pub struct LazyEtcd {
    local: Rc<LocalFiles>,
    /// A trait object, so that a program that only calls `read_cached` links no etcd client.
    storage: OnceCell<Box<dyn Storage>>,
}

impl LazyEtcd {
    pub fn new(local: LocalFiles) -> Self {
        Self { local: Rc::new(local), storage: OnceCell::new() }
    }

    /// Returns the login in the files on this host. Takes no lock and opens no connection.
    pub fn read_cached(&self) -> Option<CachedLogin> {
        self.local.read_cached()
    }
}

impl Deref for LazyEtcd {
    type Target = dyn Storage;

    fn deref(&self) -> &Self::Target {
        &**self.storage.get_or_init(|| Box::new(EtcdStorage::new(Rc::clone(&self.local))))
    }
}
