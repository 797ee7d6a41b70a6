//! New encryption keys, step by step as docs/fleet.md tells.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host};
use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use std::fs;

fn renewed(host: &Host, token: &str) -> String {
    host.refuse(token);
    host.token()
}

fn give(host: &Host, identities: &[&Identity]) {
    let lines = identities.iter().map(|it| format!("{}\n", it.to_string().expose_secret()));
    fs::write(host.home.path().join("identity"), lines.collect::<String>()).unwrap();
}

fn encrypt_for(host: &Host, old: &Identity, new: &Identity) {
    let file = host.home.path().join("config.toml");
    let (old, new) = (old.to_public().to_string(), new.to_public().to_string());
    let config = fs::read_to_string(&file).unwrap();
    assert!(config.contains(&old));
    fs::write(file, config.replace(&old, &new)).unwrap();
}

pub fn the_keys_are_replaced_while_all_hosts_go_on(cluster: &Cluster) {
    let mut fleet = Fleet::new(cluster.endpoints());
    let (first, second, reader) = (fleet.host(), fleet.host(), fleet.reader());
    // They know none of the new identities.
    let (forgotten, forgotten_reader) = (fleet.host(), fleet.reader());
    let token = fleet.sign_in(&first, 3600);
    // Read anew from etcd each time: a copy on the host would need no key.
    let everywhere = |token: &str| {
        for host in [&first, &second, &reader] {
            host.json("fleet status --json");
            assert_eq!(host.token(), token);
        }
    };
    everywhere(&token);

    let old_writers = std::mem::replace(&mut fleet.writers, Identity::generate());
    let old_readers = std::mem::replace(&mut fleet.readers, Identity::generate());
    give(&first, &[&old_writers, &fleet.writers]);
    give(&second, &[&old_writers, &fleet.writers]);
    give(&reader, &[&old_readers, &fleet.readers]);
    everywhere(&token);

    for host in [&first, &second] {
        encrypt_for(host, &old_writers, &fleet.writers);
        encrypt_for(host, &old_readers, &fleet.readers);
    }
    everywhere(&token);

    let token = renewed(&first, &token);
    everywhere(&token);
    assert_eq!(first.json("fleet status --json")["generation"], 2);

    give(&first, &[&fleet.writers]);
    give(&second, &[&fleet.writers]);
    give(&reader, &[&fleet.readers]);
    let token = renewed(&second, &token);
    everywhere(&token);
    assert!(fleet.issuer.is_live_refresh_token(&fleet.refresh_token(cluster)));
    for name in ["login", "access"] {
        for old in [&old_writers, &old_readers] {
            assert!(fleet.open(cluster, name, old).is_none(), "{name}");
        }
    }
    for host in [&forgotten, &forgotten_reader] {
        let output = host.run("get --format token --wait 10s");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2), "{said}");
        assert!(said.contains("not encrypted for") && said.contains("docs/fleet.md"), "{said}");
    }
}
