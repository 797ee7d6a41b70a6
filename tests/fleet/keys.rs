//! Replacing the encryption keys, by the steps of docs/fleet.md.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host, stderr};
use crate::machine::{PATIENCE, ada};
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
        let stderr = stderr(&output);
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

/// Signs in with the default wait of `login`. Returns what the command said.
fn sign_in_again(fleet: &Fleet, host: &Host) -> String {
    let login = host.start("login");
    let code = fleet.issuer.wait_for_user_code(PATIENCE).expect("a user code");
    fleet.issuer.approve_as(&code, &ada());
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

pub fn login_replaces_a_login_whose_keys_are_lost(cluster: &Cluster) {
    let mut fleet = Fleet::new(cluster.endpoints());
    let lost = fleet.host();
    fleet.sign_in(&lost, 3600);
    (fleet.writers, fleet.readers) = (Identity::generate(), Identity::generate());
    let (host, other, reader) = (fleet.host(), fleet.host(), fleet.reader());
    let says = sign_in_again(&fleet, &host);
    assert!(says.contains("not encrypted for") && says.contains("replaces it"), "{says}");
    let token = fleet.access_token(cluster);
    assert!(fleet.issuer.is_live_access_token(&token));
    for host in [&host, &other, &reader] {
        assert_eq!(host.token(), token);
    }
}

pub fn login_replaces_damaged_records(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let host = fleet.host();
    fleet.sign_in(&host, 3600);
    let record = |sealed: &str| {
        serde_json::json!({"id": "0", "name": "a", "at": 1, "sealed": sealed}).to_string()
    };
    for damaged in ["", "{", "{}", &record("not base64"), &record("AAAA")] {
        for key in cluster.keys(&fleet.prefix) {
            cluster.ctl(&["put", &key, damaged]).unwrap();
        }
        let output = host.run("fleet status");
        assert_eq!(output.status.code(), Some(1), "{damaged}: {}", stderr(&output));
        assert!(stderr(&output).contains("codex-credential login"), "{}", stderr(&output));
        let says = sign_in_again(&fleet, &host);
        assert!(says.contains("replaces it"), "{damaged}: {says}");
        assert_eq!(fleet.host().token(), fleet.access_token(cluster));
    }
}

pub fn login_that_its_own_host_could_not_open_is_refused(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (host, other) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&host, 3600);
    write_identities(&other, &[&Identity::generate()]);
    let output = other.run("login --wait 20s");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("recipients has no recipient"), "{}", stderr(&output));
    assert_eq!(fleet.issuer.counts().user_codes, 1);
    assert_eq!(fleet.access_token(cluster), token);
}
