//! Replacing the encryption keys, by the steps of docs/fleet.md.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host};
use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use std::fs;

fn renew(host: &Host, token: &str) -> String {
    host.reject(token);
    host.token()
}

fn write_identities(host: &Host, identities: &[&Identity]) {
    let lines =
        identities.iter().map(|identity| format!("{}\n", identity.to_string().expose_secret()));
    fs::write(host.home.path().join("identity"), lines.collect::<String>()).unwrap();
}

fn replace_recipient(host: &Host, old: &Identity, new: &Identity) {
    let file = host.home.path().join("config.toml");
    let (old, new) = (old.to_public().to_string(), new.to_public().to_string());
    let config = fs::read_to_string(&file).unwrap();
    assert!(config.contains(&old));
    fs::write(file, config.replace(&old, &new)).unwrap();
}

pub fn keys_can_be_replaced_while_the_fleet_runs(cluster: &Cluster) {
    let mut fleet = Fleet::new(cluster.endpoints());
    let (first, second, reader) = (fleet.host(), fleet.host(), fleet.reader());
    // These hosts get no new identity.
    let (forgotten, forgotten_reader) = (fleet.host(), fleet.reader());
    let token = fleet.sign_in(&first, 3600);
    // `fleet status` reads from etcd: the copy on the host needs no key.
    let expect_on_all_hosts = |token: &str| {
        for host in [&first, &second, &reader] {
            host.json("fleet status --json");
            assert_eq!(host.token(), token);
        }
    };
    expect_on_all_hosts(&token);

    let old_writers = std::mem::replace(&mut fleet.writers, Identity::generate());
    let old_readers = std::mem::replace(&mut fleet.readers, Identity::generate());
    write_identities(&first, &[&old_writers, &fleet.writers]);
    write_identities(&second, &[&old_writers, &fleet.writers]);
    write_identities(&reader, &[&old_readers, &fleet.readers]);
    expect_on_all_hosts(&token);

    for host in [&first, &second] {
        replace_recipient(host, &old_writers, &fleet.writers);
        replace_recipient(host, &old_readers, &fleet.readers);
    }
    expect_on_all_hosts(&token);

    let token = renew(&first, &token);
    expect_on_all_hosts(&token);
    assert_eq!(first.json("fleet status --json")["generation"], 2);

    write_identities(&first, &[&fleet.writers]);
    write_identities(&second, &[&fleet.writers]);
    write_identities(&reader, &[&fleet.readers]);
    let token = renew(&second, &token);
    expect_on_all_hosts(&token);
    assert!(fleet.issuer.is_live_refresh_token(&fleet.refresh_token(cluster)));
    for name in ["login", "access"] {
        for old in [&old_writers, &old_readers] {
            assert!(fleet.open(cluster, name, old).is_none(), "{name}");
        }
    }
    for host in [&forgotten, &forgotten_reader] {
        let output = host.run("get --format token --wait 10s");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2), "{stderr}");
        assert!(
            stderr.contains("not encrypted for") && stderr.contains("docs/fleet.md"),
            "{stderr}"
        );
    }
}

pub fn identity_that_is_no_regular_file_is_an_error_at_once(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let host = fleet.host();
    fleet.sign_in(&host, 3600);
    let identity = host.home.path().join("identity");
    fs::remove_file(&identity).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &identity, 0o600.into()).unwrap();
    let output = host.run("status");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("identity") && says.contains("regular"), "{says}");
}
