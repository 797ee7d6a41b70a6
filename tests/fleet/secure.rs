//! Nodes that ask for a certificate, and hosts in networks of their own.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, LEASE};
use crate::machine::{eventually, token_of};
use crate::words::is_found;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn run(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    Command::new(words[0]).args(&words[1..]).output().is_ok_and(|output| output.status.success())
}

/// An authority, and one certificate of it for nodes and hosts.
pub fn certificates(folder: &Path) {
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

fn lines(folder: &Path, with_certificate: bool) -> String {
    let at = folder.display();
    let own = format!("certificate_file = \"{at}/own.pem\"\nkey_file = \"{at}/own.key\"\n");
    format!("ca_file = \"{at}/ca.pem\"\n{}", if with_certificate { &own } else { "" })
}

pub fn a_client_certificate_is_asked_for(_: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let cluster = Cluster::secure(folder.path(), "127.0.0.1");
    let mut fleet = Fleet::new(cluster.endpoints());
    fleet.more = lines(folder.path(), true);
    let (host, other) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&host, 3600);
    assert_eq!(other.token(), token);
    is_found(&other, "endpoint", "ok", "over TLS, with this host's certificate");
    fleet.more = lines(folder.path(), false);
    let output = fleet.host().run("get --format token --wait 5s");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

pub fn a_user_and_a_password_are_asked_for(_: &Cluster) {
    let cluster = Cluster::start();
    for words in [
        "user add root:root-pw",
        "user add ada:right",
        "role add fleet",
        "role grant-permission fleet --prefix=true readwrite test-",
        "user grant-role ada fleet",
        "user grant-role root root",
        "auth enable",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert!(cluster.ctl(&words).is_some(), "{words:?}");
    }
    let mut fleet = Fleet::new(cluster.endpoints());
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fleet.more = format!("user = \"ada\"\npassword_file = \"{}\"\n", password.display());
    std::fs::write(&password, "right\n").unwrap();
    let host = fleet.host();
    let token = fleet.sign_in(&host, 3600);
    assert_eq!(fleet.host().token(), token);
    std::fs::write(&password, "wrong\n").unwrap();
    let output = fleet.host().run("get --format token --wait 5s");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("refused"), "{said}");
    assert!(!said.contains("wrong"));
}

/// A network that ends, as a pulled cable does: nothing is refused, nothing arrives.
struct Namespace(&'static str);

impl Namespace {
    fn new() -> Option<Self> {
        let made = Self("cc-fleet-test");
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
        steps.iter().all(|step| run(step)).then_some(made)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run("ip link del cc-fleet-a");
        run(&format!("ip netns del {}", self.0));
    }
}

/// The host in the namespace reads its login; its network ends, and it goes on serving. It renews nothing, and another
/// host does.
pub fn a_network_of_its_own_is_cut(_: &Cluster) {
    let Some(_namespace) = Namespace::new() else {
        println!("skipped: no network namespace can be made here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let cluster = Cluster::secure(folder.path(), "10.201.7.1");
    let mut fleet = Fleet::new(cluster.endpoints());
    fleet.more = lines(folder.path(), true);
    let mut inside = fleet.host();
    inside.within = ["ip", "netns", "exec", "cc-fleet-test"].map(str::to_owned).into();
    let outside = fleet.host();
    let token = fleet.sign_in(&outside, 3600);
    assert_eq!(inside.token(), token);
    assert!(run("ip link set cc-fleet-a down"));
    assert_eq!(inside.token(), token, "what is valid is served");
    let erase = format!("protocol=https\nhost=chatgpt.com\npassword={token}\n\n");
    assert_cmd::Command::from_std(outside.command("erase")).write_stdin(&*erase).assert().success();
    let hash = codex_credential::tokens::Fingerprint::of(token.as_bytes());
    let refused = format!("--rejected-sha256 {}", hash.prefix(64));
    let started = Instant::now();
    let output = inside.run(&format!("get --format token --wait 6s {refused}"));
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
