//! A login in etcd, opened as far as it is asked: etcd itself by the first question that files do not answer.

use crate::fleet::etcd::EtcdStorage;
use crate::fleet::local::Local;
use crate::storage::{CachedLogin, Storage};
use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

#[derive(Debug)]
pub struct Etcd {
    local: Rc<Local>,
    /// Behind its interface, so that whoever glances links nothing of it.
    access: OnceCell<Box<dyn Storage>>,
}

impl Etcd {
    pub fn new(local: Local) -> Self {
        Self { local: Rc::new(local), access: OnceCell::new() }
    }

    /// Returns the login as files alone tell it; takes no lock and asks no keyring.
    pub fn read_cached(&self) -> Option<CachedLogin> {
        self.local.read_cached()
    }
}

impl Deref for Etcd {
    type Target = dyn Storage;

    fn deref(&self) -> &Self::Target {
        &**self.access.get_or_init(|| Box::new(EtcdStorage::new(Rc::clone(&self.local))))
    }
}
