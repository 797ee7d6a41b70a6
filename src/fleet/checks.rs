//! The checks of `doctor` for a login in etcd.

use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::fleet::client::EtcdClient;
use crate::fleet::encryption;
use crate::fleet::etcd::EtcdStorage;
use crate::fleet::settings::{Role, Settings};
use crate::fleet::snapshot::{Sealed, Snapshot};
use crate::storage::shared::HostAction;
use crate::values::EndpointUrl;
use std::time::Duration;

const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(3);

pub fn run(etcd: &EtcdStorage) -> Vec<(&'static str, Result<String>)> {
    let settings = &etcd.local.settings;
    let mut checks: Vec<_> = settings
        .endpoints
        .iter()
        .map(|url| ("endpoint", endpoint(settings, url, &etcd.local.prefix)))
        .collect();
    let snapshot = etcd.snapshot().ok();
    checks.push(("identity", identity(settings, snapshot.as_ref())));
    checks.push(("role", role(settings, snapshot.as_ref())));
    checks.extend(snapshot.map(|snapshot| ("fleet lock", Ok(lock(&snapshot)))));
    checks
}

/// Reads from one endpoint only. The read needs a majority, so it also shows that the node reaches the others.
fn endpoint(settings: &Settings, url: &EndpointUrl, prefix: &str) -> Result<String> {
    let alone = Settings { endpoints: vec![url.clone()], ..settings.clone() };
    EtcdClient::new(alone).range(prefix, &Deadline::after(ENDPOINT_TIMEOUT))?;
    let security = match (url.starts_with("https://"), &settings.certificate_file) {
        (true, Some(_)) => "over TLS with a client certificate",
        (true, None) => "over TLS",
        (false, _) => "without TLS",
    };
    Ok(format!("{url} answers {security} and reaches a majority"))
}

fn identity(settings: &Settings, snapshot: Option<&Snapshot>) -> Result<String> {
    let file = settings.identity_file.display();
    encryption::identities(&settings.identity_file)?;
    Ok(match snapshot.map(Snapshot::login).transpose()? {
        Some(Some(_)) => format!("{file} decrypts the stored login"),
        Some(None) => format!("{file} is readable; no login is stored yet"),
        None => format!("{file} is readable; etcd did not answer, so no login was decrypted"),
    })
}

/// Checks what the identity can decrypt: `role = "reader"` in the configuration protects nothing by itself.
fn role(settings: &Settings, snapshot: Option<&Snapshot>) -> Result<String> {
    if settings.role == Role::Writer {
        let lease = clock::seconds(settings.lease);
        return Ok(format!("writer: renews the login under a lease of {lease} s"));
    }
    let login = snapshot.and_then(|snapshot| snapshot.record::<Sealed>("login"));
    if login.is_some_and(|login| encryption::open(&login.sealed, settings).is_ok()) {
        let what = "this host is a reader, but its identity decrypts the refresh token";
        return Err(Error::new(Kind::Configuration, what)
            .hint("give the readers an identity of their own; see docs/fleet.md"));
    }
    Ok("reader: reads the access token and does not renew".into())
}

fn lock(snapshot: &Snapshot) -> String {
    snapshot.record::<HostAction>("lock").map_or("free".into(), |lock| {
        format!("held by {} ({} s ago)", lock.host.name, clock::now() - lock.at)
    })
}
