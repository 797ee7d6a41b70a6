//! The identity of this host in the fleet.

use crate::error::Result;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::Record;
use crate::storage::seal::Seal;
use crate::storage::shared::Host;
use crate::tokens::Fingerprint;

/// Returns the identity of this host. Creates it on first use and keeps it in the login directory.
pub fn this_host(login_dir: &LoginDir) -> Result<Host> {
    login_dir.create()?;
    let record: Record<Host> = Record::new(login_dir.dir().join("host"));
    if let Some(host) = record.load()? {
        return Ok(host);
    }
    let host = Host { id: random_id()?, name: host_name() };
    record.save(&host)?;
    Ok(host)
}

fn random_id() -> Result<String> {
    let seed = Seal::new()?;
    Ok(Fingerprint::of(seed.bytes()).prefix(16).to_owned())
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    "a host".into()
}
