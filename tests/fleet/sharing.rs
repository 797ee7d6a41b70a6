//! Hosts that share a login while nothing fails.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, contains, stderr};
use crate::machine::{ada, eventually, token_of};
use crate::proxy::Proxy;
use serde_json::{Value, json};
use std::fs;

pub fn login_on_one_host_is_used_by_another(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&first, 3600);
    assert_eq!(second.token(), token);
    assert_eq!(fleet.issuer.counts().user_codes, 1);
}

pub fn four_callers_on_each_of_32_hosts_renew_once(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let hosts: Vec<_> = (0..32).map(|_| fleet.host()).collect();
    fleet.sign_in_expired(&hosts[0]);
    let expired = fleet.access_token(cluster);
    let callers: Vec<_> = hosts.iter().flat_map(|host| (0..4).map(|_| host.get())).collect();
    let mut tokens: Vec<String> = callers.into_iter().map(token_of).collect();
    assert_eq!(tokens.len(), 128);
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], expired);
    assert_eq!((fleet.issuer.counts().refreshes, fleet.issuer.resent_after_answer()), (1, 0));
}

pub fn logout_on_another_host_removes_the_local_copy(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    let token = fleet.sign_in(&first, 3600);
    assert_eq!(second.token(), token);
    let has_copy = || second.files().iter().any(|file| file.ends_with("access"));
    assert!(has_copy());
    assert!(first.run("logout").status.success());
    second.run("status");
    assert!(!has_copy());
}

pub fn warm_get_sends_no_request_to_etcd(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints);
    let host = fleet.host_at(&urls, "writer");
    let token = fleet.sign_in(&host, 3600);
    eventually(|| host.renewers().is_empty());
    let before = proxy.traffic().len();
    proxy.cut();
    assert_eq!(host.token(), token);
    assert_eq!(proxy.traffic().len(), before);
}

pub fn fleet_status_shows_the_generation_and_the_last_host(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (first, second) = (fleet.host(), fleet.host());
    fleet.sign_in_expired(&first);
    second.token();
    let status = first.json("fleet status --json");
    assert_eq!(status["generation"], 2);
    assert!(status["renewed"]["host"].is_string());
    assert!(status["renews_at"].is_string() && status["lock"].is_null(), "{status}");
    let output = first.run("fleet status");
    assert!(String::from_utf8(output.stdout).unwrap().contains("generation  2"));
}

pub fn export_contains_no_refresh_token(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let host = fleet.host();
    let token = fleet.sign_in(&host, 3600);
    let refresh_token = fleet.refresh_token(cluster);
    let output = host.run("export");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(contains(&output.stdout, &token) && !contains(&output.stdout, &refresh_token));
    // The Codex storage reads the file, and knows that its login cannot be renewed.
    fs::write(host.home.path().join("auth.json"), &output.stdout).unwrap();
    let mut command = host.command("status --json");
    let status = command.env("CODEX_CREDENTIAL_STORAGE", "codex").output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["access_token_usable"], true);
    assert_eq!(status["cannot_renew"], "there is no refresh token");
}

pub fn import_shares_the_login_of_auth_json_and_warns_of_the_copy(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (host, other) = (fleet.host(), fleet.host());
    let tokens = fleet.issuer.grant(&ada(), 3600);
    let file = host.home.path().join("auth.json");
    let document = json!({ "auth_mode": "chatgpt", "tokens": {
        "id_token": tokens.id_token, "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
    } });
    fs::write(&file, document.to_string()).unwrap();
    let output = host.run("import");
    let stderr = stderr(&output);
    assert!(output.status.success() && stderr.contains("still holds a copy"), "{stderr}");
    assert!(file.exists());
    assert_eq!(other.token(), tokens.access_token);
    assert!(host.run("import --remove").status.success());
    assert!(!file.exists());
    assert_eq!(fleet.refresh_token(cluster), tokens.refresh_token);
}
