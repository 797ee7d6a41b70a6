//! `Storage` for a login in etcd.

use crate::clock::Deadline;
use crate::error::Result;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lock::EtcdHold;
use crate::login::Login;
use crate::storage::files;
use crate::storage::journal::{self, Unfinished};
use crate::storage::login_dir::LoginDir;
use crate::storage::shared::SharedStorage;
use crate::storage::stored_login::StoredLogin;
use crate::storage::{HeldLogin, Storage};
use std::path::PathBuf;

impl Storage for EtcdStorage {
    fn login_dir(&self) -> Result<LoginDir> {
        Ok(self.local.login_dir.clone())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.local.login_dir.dir().to_owned()]
    }

    fn load(&self) -> Result<Option<Login>> {
        Ok(self.sync()?.login(&self.local.settings)?.map(StoredLogin::login))
    }

    fn describe(&self) -> Result<String> {
        Ok(format!("etcd at {} ({})", self.local.settings.endpoints.join(", "), self.local.prefix))
    }

    fn hold(&self, deadline: &Deadline) -> Result<Box<dyn HeldLogin + '_>> {
        Ok(Box::new(EtcdHold::new(self, deadline)?))
    }

    fn holder(&self) -> Option<String> {
        let endpoints = self.local.settings.endpoints.join(", ");
        Some(format!("etcd at {endpoints}, or the host that renews the login, has not answered"))
    }

    fn sweep(&self) {
        files::sweep_temporary_files(self.local.login_dir.dir());
    }

    fn left(&self) -> Result<Option<Unfinished>> {
        journal::left(&self.local.login_dir.journal(), || Ok(None))
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }
}
