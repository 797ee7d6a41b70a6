//! What a person hears of etcd: from doctor, in traces and in the audit log.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host};
use crate::proxy::Proxy;
use age::x25519::Identity;
use serde_json::Value;
use std::fs;

/// What doctor found under `name`: the level, and the words.
fn found(host: &Host, name: &str) -> Vec<(String, String)> {
    let report = host.json("doctor --json");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    let named = checks.filter(|check| check["name"] == name);
    named.map(|check| (text(&check["level"]), text(&check["found"]))).collect()
}

pub fn is_found(host: &Host, name: &str, level: &str, words: &str) {
    let found = found(host, name);
    assert!(
        found.iter().any(|(is, said)| is == level && said.contains(words)),
        "{name}: {found:?}"
    );
}

pub fn doctor_tries_each_endpoint_the_identity_and_the_role(cluster: &Cluster) {
    let mut fleet = Fleet::new(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints[..1]);
    let endpoints = [&urls[..], &fleet.endpoints[1..]].concat();
    let (host, reader) = (fleet.host_at(&endpoints, "writer"), fleet.reader());
    is_found(&host, "identity", "ok", "nothing is stored yet");
    fleet.sign_in(&host, 3600);
    is_found(&host, "identity", "ok", "opens what is stored");
    is_found(&host, "role", "ok", "under a lease of 10 s");
    is_found(&host, "fleet lock", "ok", "free");
    is_found(&reader, "role", "ok", "renews nothing");
    is_found(&reader, "storage", "ok", "does not write there");
    let endpoints = found(&host, "endpoint");
    assert!(endpoints.len() == 3 && endpoints.iter().all(|(level, _)| level == "ok"));
    proxy.cut();
    is_found(&host, "endpoint", "failure", &urls[0]);
    let fine = found(&host, "endpoint").iter().filter(|(level, _)| level == "ok").count();
    assert_eq!(fine, 2);
    // A reader with the identity of those who renew is none.
    fs::copy(host.home.path().join("identity"), reader.home.path().join("identity")).unwrap();
    is_found(&reader, "role", "failure", "opens the refresh token");
    fleet.readers = Identity::generate();
    is_found(&fleet.reader(), "identity", "failure", "not encrypted for");
}

pub fn traces_and_the_audit_log_tell_of_a_renewal(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (host, other) = (fleet.host(), fleet.host());
    fleet.expired(&host);
    let spent = fleet.refresh_token(cluster);
    let trace = host.home.path().join("trace");
    let mut get = host.command("get --format token --wait 60s");
    assert!(get.env("CODEX_CREDENTIAL_TRACE", &trace).output().unwrap().status.success());
    crate::machine::eventually(|| host.renewers().is_empty());
    let lines = fs::read_to_string(&trace).unwrap();
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for asked in ["range", "grant", "txn"] {
        let is_it = |event: &&Value| event["event"] == "etcd" && event["asked"] == asked;
        let event = events.iter().find(is_it).unwrap_or_else(|| panic!("{asked}: {lines}"));
        assert_eq!(event["answered"], true);
        let endpoint = event["endpoint"].as_str().unwrap();
        assert!(fleet.endpoints.iter().any(|known| known == endpoint));
    }
    assert!(!lines.contains(&spent) && !lines.contains(&fleet.refresh_token(cluster)));
    // Who renewed it has it in its log; who read it has not.
    other.token();
    let audit = |host: &Host| String::from_utf8(host.run("audit").stdout).unwrap();
    assert!(audit(&host).contains("renewal"), "{}", audit(&host));
    assert!(!audit(&other).contains("renewal"), "{}", audit(&other));
}
