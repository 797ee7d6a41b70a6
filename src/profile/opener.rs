//! Which storage a profile has.

use crate::client::Dialect;
use crate::error::{Error, Kind, Result};
use crate::folders::Folders;
use crate::login::Provenance;
use crate::storage::codex_home::CodexHome;
use crate::storage::etcd::settings::Settings;
#[cfg(feature = "etcd")]
use crate::storage::etcd::{Etcd, Local};
use crate::storage::keyring::Patience;
use crate::storage::private::{Medium, Private};
use crate::storage::{Kept, Opened};
use std::path::PathBuf;
use std::rc::Rc;

/// What it takes to open a storage.
#[derive(Clone, Debug)]
pub(super) struct Opener {
    pub codex_home: PathBuf,
    /// For the keyring.
    pub patience: Patience,
    /// Whether a copy of the access token may lie in memory.
    pub cache: bool,
    pub etcd: Option<Settings>,
}

impl Opener {
    pub fn open(
        &self,
        kept: Kept,
        by: &Provenance,
        dialect: &Dialect,
        account: Option<String>,
    ) -> Result<Opened> {
        let medium = match kept {
            Kept::Codex if matches!(dialect, Dialect::Standard(_)) => return Err(not_codexs()),
            Kept::Codex => {
                let home = CodexHome::new(self.codex_home.clone(), self.patience);
                return Ok(Opened::Codex(Rc::new(home)));
            }
            Kept::File => Medium::File,
            Kept::Keyring => Medium::Keyring { cache: self.cache, patience: self.patience },
            Kept::Memory | Kept::Etcd => Medium::Memory,
        };
        let folders = Folders::of_this_person()?;
        let mut granted_by = vec![by.issuer.as_str(), by.client_id.as_str()];
        if let Dialect::Standard(standard) = dialect {
            granted_by.extend(standard.asks_for());
        }
        if kept == Kept::Etcd {
            let settings = self.etcd.as_ref().ok_or_else(no_etcd)?;
            return etcd(settings, &folders, &granted_by, self.cache, self.patience);
        }
        let private = Private::new(medium, &folders, &granted_by, account)?;
        Ok(Opened::Private(Rc::new(private)))
    }
}

#[cfg(feature = "etcd")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn etcd(
    settings: &Settings,
    folders: &Folders,
    granted_by: &[&str],
    cache: bool,
    patience: Patience,
) -> Result<Opened> {
    let local = Local::new(settings.clone(), folders, granted_by, cache, patience.all);
    Ok(Opened::Etcd(Rc::new(Etcd::new(local))))
}

#[cfg(not(feature = "etcd"))]
fn etcd(_: &Settings, _: &Folders, _: &[&str], _: bool, _: Patience) -> Result<Opened> {
    let what = "this program was built without etcd, which the profile is kept in";
    Err(Error::new(Kind::Configuration, what)
        .hint("build it with cargo install --path . --features etcd"))
}

fn no_etcd() -> Error {
    let what = "storage = \"etcd\" needs a table etcd in the profile";
    Error::new(Kind::Configuration, what).hint("docs/fleet.md shows one")
}

fn not_codexs() -> Error {
    Error::new(Kind::Usage, "Codex keeps its own login alone, and none of another issuer's")
        .hint("there are the storages file, keyring and memory")
}
