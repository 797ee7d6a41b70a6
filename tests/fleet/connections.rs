//! Certificates, passwords, and a host that loses its network.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, LEASE};
use crate::machine::{eventually, token_of};
use crate::reports::expect_check;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn run(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    Command::new(words[0]).args(&words[1..]).output().is_ok_and(|output| output.status.success())
}

/// Creates a certificate authority, and one certificate for nodes and hosts.
pub fn create_certificates(folder: &Path) {
    let at = folder.display();
    std::fs::write(
        folder.join("names"),
        "subjectAltName=IP:127.0.0.1,IP:10.201.7.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n",
    )
    .unwrap();
    for line in [
        format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout {at}/ca.key -out {at}/ca.pem -subj /CN=ca -days 2"
        ),
        format!(
            "openssl req -newkey rsa:2048 -nodes -keyout {at}/own.key -out {at}/own.csr -subj /CN=node"
        ),
        format!(
            "openssl x509 -req -in {at}/own.csr -CA {at}/ca.pem -CAkey {at}/ca.key -CAcreateserial -out {at}/own.pem \
             -days 2 -extfile {at}/names"
        ),
    ] {
        assert!(run(&line), "{line}");
    }
}

fn tls_settings(folder: &Path, with_certificate: bool) -> String {
    let at = folder.display();
    let own = format!("certificate_file = \"{at}/own.pem\"\nkey_file = \"{at}/own.key\"\n");
    format!("ca_file = \"{at}/ca.pem\"\n{}", if with_certificate { &own } else { "" })
}

pub fn host_without_client_certificate_gets_no_token(_: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    create_certificates(folder.path());
    let cluster = Cluster::secure(folder.path(), "127.0.0.1");
    let mut fleet = Fleet::new(cluster.endpoints());
    fleet.extra_settings = tls_settings(folder.path(), true);
    let (host, other) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&host, 3600);
    assert_eq!(other.token(), token);
    expect_check(&other, "endpoint", "ok", "over TLS with a client certificate");
    fleet.extra_settings = tls_settings(folder.path(), false);
    let output = fleet.host().run("get --format token --wait 5s");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

pub fn wrong_etcd_password_is_a_configuration_error(_: &Cluster) {
    let cluster = Cluster::start();
    for command in [
        "user add root:root-pw",
        "user add ada:right",
        "role add fleet",
        "role grant-permission fleet --prefix=true readwrite test-",
        "user grant-role ada fleet",
        "user grant-role root root",
        "auth enable",
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        assert!(cluster.ctl(&command).is_some(), "{command:?}");
    }
    let mut fleet = Fleet::new(cluster.endpoints());
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fleet.extra_settings = format!("user = \"ada\"\npassword_file = \"{}\"\n", password.display());
    std::fs::write(&password, "right\n").unwrap();
    let host = fleet.host();
    let token = fleet.sign_in(&host, 3600);
    assert_eq!(fleet.host().token(), token);
    std::fs::write(&password, "wrong\n").unwrap();
    let output = fleet.host().run("get --format token --wait 5s");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && stderr.contains("refused"), "{stderr}");
    assert!(!stderr.contains("wrong"), "{stderr}");
}

/// A network namespace. With its link down, packets are dropped and connections are not refused.
struct Namespace(&'static str);

impl Namespace {
    fn new() -> Option<Self> {
        let namespace = Self("cc-fleet-test");
        let steps = [
            "ip netns add cc-fleet-test",
            "ip link add cc-fleet-a type veth peer name cc-fleet-b",
            "ip link set cc-fleet-b netns cc-fleet-test",
            "ip addr add 10.201.7.1/24 dev cc-fleet-a",
            "ip link set cc-fleet-a up",
            "ip netns exec cc-fleet-test ip addr add 10.201.7.2/24 dev cc-fleet-b",
            "ip netns exec cc-fleet-test ip link set cc-fleet-b up",
            "ip netns exec cc-fleet-test ip link set lo up",
        ];
        steps.iter().all(|step| run(step)).then_some(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run("ip link del cc-fleet-a");
        run(&format!("ip netns del {}", self.0));
    }
}

pub fn host_without_network_keeps_its_token_and_another_host_renews(_: &Cluster) {
    let Some(_namespace) = Namespace::new() else {
        println!("skipped: this machine allows no network namespaces");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    create_certificates(folder.path());
    let cluster = Cluster::secure(folder.path(), "10.201.7.1");
    let mut fleet = Fleet::new(cluster.endpoints());
    fleet.extra_settings = tls_settings(folder.path(), true);
    let mut inside = fleet.host();
    inside.command_prefix = ["ip", "netns", "exec", "cc-fleet-test"].map(str::to_owned).into();
    let outside = fleet.host();
    let token = fleet.sign_in(&outside, 3600);
    assert_eq!(inside.token(), token);
    assert!(run("ip link set cc-fleet-a down"));
    assert_eq!(inside.token(), token);
    outside.reject(&token);
    let hash = codex_credential::tokens::Fingerprint::of(token.as_bytes());
    let started = Instant::now();
    let output =
        inside.run(&format!("get --format token --wait 6s --rejected-sha256 {}", hash.prefix(64)));
    assert_eq!(output.status.code(), Some(1));
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(fleet.issuer.counts().refreshes, 0);
    let renewed = outside.token();
    assert!(renewed != token && started.elapsed() < Duration::from_secs(60 + LEASE));
    assert!(run("ip link set cc-fleet-a up"));
    eventually(|| inside.run("renew").status.success());
    assert_eq!(token_of(inside.get()), renewed);
    assert_eq!(fleet.issuer.resent_after_answer(), 0);
}
