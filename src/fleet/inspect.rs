//! Each thing that a login in etcd depends on, tried by itself. For `doctor`.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::client::Wire;
use crate::fleet::encryption;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::settings::{Role, Settings};
use crate::fleet::snapshot::{Intended, Sealed, Snapshot};
use crate::storage::shared::HostAction;
use std::time::Duration;

/// For one endpoint.
const PATIENCE: Duration = Duration::from_secs(3);

pub fn inspect(etcd: &EtcdStorage) -> Vec<(&'static str, Result<String>)> {
    let settings = &etcd.local.settings;
    let mut found: Vec<_> = settings
        .endpoints
        .iter()
        .map(|url| ("endpoint", endpoint(settings, url, &etcd.local.prefix)))
        .collect();
    let snapshot = etcd.snapshot().ok();
    found.push(("identity", identity(settings, snapshot.as_ref())));
    found.push(("role", role(settings, snapshot.as_ref())));
    found.extend(snapshot.map(|snapshot| ("fleet lock", Ok(lock(&snapshot)))));
    found
}

/// Asked alone, and for what a majority has: one that answers can reach the others.
fn endpoint(settings: &Settings, url: &str, prefix: &str) -> Result<String> {
    let alone = Settings { endpoints: vec![url.to_owned()], ..settings.clone() };
    Wire::new(alone).range(prefix, &Deadline::after(PATIENCE))?;
    let is_known = settings.certificate_file.is_some();
    let how = match (url.starts_with("https://"), is_known) {
        (true, true) => "over TLS, with this host's certificate",
        (true, false) => "over TLS",
        (false, _) => "without TLS",
    };
    Ok(format!("{url} answers for a majority, {how}"))
}

fn identity(settings: &Settings, snapshot: Option<&Snapshot>) -> Result<String> {
    let file = settings.identity_file.display();
    let count = encryption::count_identities(&settings.identity_file)?;
    let Some(snapshot) = snapshot else {
        return Ok(format!(
            "{file} can be read ({count}); whether it fits, etcd would have to tell"
        ));
    };
    let is_there = snapshot.document(settings)?.is_some();
    let what = if is_there { "opens what is stored" } else { "can be read; nothing is stored yet" };
    Ok(format!("{file} {what}"))
}

/// A reader is one by what its identity opens, not by the word in its configuration.
fn role(settings: &Settings, snapshot: Option<&Snapshot>) -> Result<String> {
    if settings.role == Role::Writer {
        let lease = clock::seconds(settings.lease);
        return Ok(format!("writer: renews the login, under a lease of {lease} s"));
    }
    let login = snapshot.and_then(|snapshot| snapshot.record::<Sealed>("login"));
    if login.is_some_and(|login| encryption::open(&login.sealed, settings).is_ok()) {
        let what = "this host is a reader, and its identity opens the refresh token";
        return Err(Error::new(Kind::Configuration, what)
            .hint("give readers an identity of their own; see docs/fleet.md"));
    }
    Ok("reader: serves access tokens, and renews nothing".into())
}

fn lock(snapshot: &Snapshot) -> String {
    let ago = |deed: &HostAction| format!("{}, {} s ago", deed.host.name, clock::now() - deed.at);
    let lock = snapshot.record::<HostAction>("lock");
    let intent = snapshot.record::<Intended>("intent").map(|it| it.deed);
    match (lock, intent) {
        (Some(lock), _) => format!("held by {}", ago(&lock)),
        (None, Some(intent)) => {
            format!("free; no answer is known to the request of {}", ago(&intent))
        }
        (None, None) => "free".into(),
    }
}
