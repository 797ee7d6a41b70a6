//! `Storage` for a login in etcd.

use crate::clock::Deadline;
use crate::error::Result;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::lock::EtcdHold;
use crate::login::Login;
use crate::storage::files;
use crate::storage::journal::{self, Intent, Journal, Request, Unfinished};
use crate::storage::login_dir::{LoginDir, SignInDir};
use crate::storage::shared::SharedStorage;
use crate::storage::stored_login::StoredLogin;
use crate::storage::{HeldLogin, Storage};
use std::path::PathBuf;

impl Storage for EtcdStorage {
    fn login_dir(&self) -> Result<Option<LoginDir>> {
        Ok(Some(self.local.login_dir.clone()))
    }

    fn sign_in_dir(&self) -> SignInDir {
        self.local.sign_in_dir()
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
        files::sweep_temporary_files(self.local.sign_in_dir().dir());
    }

    fn unfinished(&self, request: Request) -> Result<Option<Unfinished>> {
        let journal = match request {
            Request::Refresh => self.local.login_dir.journal(),
            Request::SignIn => self.local.sign_in_dir().journal(),
        };
        journal::unfinished(&journal, || Ok(None))
    }

    /// Sends nothing to etcd: the journal on this host is enough until the commit.
    fn begin_sign_in(&self, intent: &Intent) -> Result<Journal> {
        Journal::begin(&self.local.sign_in_dir().journal(), intent, None)
    }

    fn end_sign_in(&self) -> Result<()> {
        self.local.sign_in_dir().forget()
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        Some(self)
    }
}
