//! Authorization server metadata: fetched once, cached, and used only if it is for the configured issuer.

use crate::gateway::{Gateway, read};
use issuer::{Endpoint, Fault};
use predicates::str::contains;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

fn renew(gateway: &Gateway) {
    let token = gateway.token();
    gateway.erase(&token);
    assert_ne!(gateway.token(), token);
}

/// Returns the file of the cached metadata.
fn metadata(gateway: &Gateway) -> PathBuf {
    let login = &gateway.logins()[0];
    login.parent().unwrap().with_file_name("sign-in").join("metadata")
}

/// Makes the cached metadata older.
fn age(gateway: &Gateway, seconds: i64) {
    let path = metadata(gateway);
    let mut record = read(&path);
    record["fetched_at"] = json!(record["fetched_at"].as_i64().unwrap() - seconds);
    fs::write(path, record.to_string()).unwrap();
}

#[test]
fn either_metadata_document_is_enough() {
    for is_openid in [true, false] {
        let gateway = Gateway::with("", |s| {
            s.standard.openid_discovery = is_openid;
            s.standard.oauth_discovery = !is_openid;
        });
        gateway.sign_in();
        renew(&gateway);
    }
}

#[test]
fn expired_metadata_is_revalidated() {
    let gateway = Gateway::with("", |s| s.standard.max_age = Some(1000));
    gateway.sign_in();
    renew(&gateway);
    let asked = gateway.machine.issuer.counts().discoveries;
    renew(&gateway);
    assert_eq!(gateway.machine.issuer.counts().discoveries, asked, "the cache is fresh");
    age(&gateway, 1001);
    renew(&gateway);
    let log = gateway.machine.issuer.log();
    let last = log.iter().rfind(|entry| entry.path.starts_with("/.well-known")).unwrap();
    assert_eq!((last.status, last.outcome.as_str()), (Some(304), "not_modified"));
    assert_eq!(gateway.machine.issuer.counts().discoveries, asked + 1);
    renew(&gateway);
    assert_eq!(gateway.machine.issuer.counts().discoveries, asked + 1, "the cache is fresh again");
}

#[test]
fn unreachable_metadata_leaves_the_stored_metadata_in_use() {
    let gateway = Gateway::new();
    gateway.sign_in();
    renew(&gateway);
    age(&gateway, 4000);
    gateway.machine.issuer.fault(Endpoint::Discovery, Fault::status(503, "<html>"), 1);
    renew(&gateway);
    age(&gateway, 4000);
    gateway.machine.issuer.fault(Endpoint::Discovery, Fault::Drop, 1);
    renew(&gateway);
}

#[test]
fn metadata_of_another_issuer_is_refused() {
    let gateway = Gateway::with("", |s| s.standard.issuer = Some("https://other.example".into()));
    let refused = gateway.command("get").assert().code(2);
    refused.stderr(contains("https://other.example"));
    assert_eq!(gateway.machine.issuer.counts().user_codes, 0);
    // A final slash makes another issuer.
    let url = gateway.machine.issuer.url();
    gateway.machine.issuer.set(|s| s.standard.issuer = Some(format!("{url}/")));
    gateway.command("get").assert().code(2);
}

#[test]
fn stored_metadata_of_another_issuer_is_ignored() {
    let gateway = Gateway::new();
    gateway.sign_in();
    renew(&gateway);
    let path = metadata(&gateway);
    let mut record = read(&path);
    record["metadata"]["issuer"] = json!("https://other.example");
    record["metadata"]["token_endpoint"] = json!("http://127.0.0.1:1/");
    fs::write(&path, record.to_string()).unwrap();
    renew(&gateway);
}

#[test]
fn endpoints_in_the_profile_replace_discovery() {
    let gateway = Gateway::with("", |s| {
        s.standard.openid_discovery = false;
        s.standard.oauth_discovery = false;
    });
    let refused = gateway.command("get").assert().code(2);
    refused.stderr(contains("token_endpoint"));
    let url = gateway.machine.issuer.url();
    gateway.configure(&format!(
        "device_authorization_endpoint = \"{url}/device_authorization\"\ntoken_endpoint = \"{url}/token\"\n\
         revocation_endpoint = \"{url}/revoke\"\njwks_uri = \"{url}/jwks\""
    ));
    let asked = gateway.machine.issuer.counts().discoveries;
    gateway.sign_in();
    renew(&gateway);
    gateway.command("logout").assert().success();
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.discoveries, counts.revocations), (asked, 1));
}

#[test]
fn web_page_instead_of_metadata_hints_at_a_proxy() {
    let gateway = Gateway::new();
    gateway.machine.issuer.fault(Endpoint::Discovery, Fault::NotJson, 2);
    let refused = gateway.command("get").assert().code(1);
    refused.stderr(contains("proxy"));
}
