//! What `doctor`, traces and the audit log say about etcd.

use crate::cluster::Cluster;
use crate::hosts::{Fleet, Host};
use crate::machine::eventually;
use crate::proxy::Proxy;
use age::x25519::Identity;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Returns the level and the text of each check with this name.
fn checks(host: &Host, name: &str) -> Vec<(String, String)> {
    let report = host.json("doctor --json");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    let named = checks.filter(|check| check["name"] == name);
    named.map(|check| (text(&check["level"]), text(&check["found"]))).collect()
}

pub fn expect_check(host: &Host, name: &str, level: &str, text: &str) {
    let checks = checks(host, name);
    let is_expected = checks.iter().any(|(is, found)| is == level && found.contains(text));
    assert!(is_expected, "{name}: {checks:?}");
}

pub fn doctor_checks_endpoints_identity_and_role(cluster: &Cluster) {
    let mut fleet = Fleet::new(cluster.endpoints());
    let (proxy, urls) = Proxy::before(&fleet.endpoints[..1]);
    let endpoints = [&urls[..], &fleet.endpoints[1..]].concat();
    let (host, reader) = (fleet.host_at(&endpoints, "writer"), fleet.reader());
    fleet.sign_in(&host, 3600);
    expect_check(&host, "role", "ok", "under a lease of 10 s");
    expect_check(&reader, "role", "ok", "does not renew");
    expect_check(&reader, "storage", "ok", "does not write there");
    let identity = host.home.path().join("identity");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o640)).unwrap();
    expect_check(&host, "permissions", "warning", "identity can be read by others");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!checks(&host, "permissions").iter().any(|(_, found)| found.contains("identity")));
    let endpoints = checks(&host, "endpoint");
    assert!(endpoints.len() == 3 && endpoints.iter().all(|(level, _)| level == "ok"));
    proxy.cut();
    expect_check(&host, "endpoint", "failure", &urls[0]);
    let reachable = checks(&host, "endpoint").iter().filter(|(level, _)| level == "ok").count();
    assert_eq!(reachable, 2);
    // A reader with a writer's identity.
    fs::copy(host.home.path().join("identity"), reader.home.path().join("identity")).unwrap();
    expect_check(&reader, "role", "failure", "decrypts the refresh token");
    fleet.readers = Identity::generate();
    let reader = fleet.reader();
    expect_check(&reader, "login", "failure", "not encrypted for");
    fs::remove_file(reader.home.path().join("identity")).unwrap();
    expect_check(&reader, "role", "failure", "cannot read");
}

pub fn renewal_is_traced_and_in_the_audit_log_of_its_host_only(cluster: &Cluster) {
    let fleet = Fleet::new(cluster.endpoints());
    let (host, other) = (fleet.host(), fleet.host());
    fleet.sign_in_expired(&host);
    let spent = fleet.refresh_token(cluster);
    let trace = host.home.path().join("trace");
    let mut get = host.command("get --format token --wait 60s");
    assert!(get.env("CODEX_CREDENTIAL_TRACE", &trace).output().unwrap().status.success());
    eventually(|| host.renewers().is_empty());
    let trace = fs::read_to_string(&trace).unwrap();
    let events: Vec<Value> =
        trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for request in ["range", "grant", "txn"] {
        let is_request = |event: &&Value| event["event"] == "etcd" && event["operation"] == request;
        let event = events.iter().find(is_request).unwrap_or_else(|| panic!("{request}: {trace}"));
        assert_eq!(event["succeeded"], true);
        let endpoint = event["endpoint"].as_str().unwrap();
        assert!(fleet.endpoints.iter().any(|known| known == endpoint));
    }
    assert!(!trace.contains(&spent) && !trace.contains(&fleet.refresh_token(cluster)));
    other.token();
    let audit = |host: &Host| String::from_utf8(host.run("audit").stdout).unwrap();
    assert!(audit(&host).contains("renewal"), "{}", audit(&host));
    assert!(!audit(&other).contains("renewal"), "{}", audit(&other));
}

/// Records of a hostile host, which can write to etcd and knows the recipients.
pub fn hidden_characters_of_another_host_are_visible_or_refused(cluster: &Cluster) {
    use base64::Engine;
    use serde_json::json;
    let fleet = Fleet::new(cluster.endpoints());
    let host = fleet.host();
    fleet.sign_in(&host, 3600);
    let keys = cluster.keys(&fleet.prefix);
    let key = keys.iter().find(|key| key.ends_with("/access")).unwrap();
    let mut record: Value = serde_json::from_str(&cluster.value(key)).unwrap();
    record["name"] = "other\u{1b}[2J\u{202e}host".into();
    cluster.ctl(&["put", key, &record.to_string()]).unwrap();
    let report = String::from_utf8(host.run("fleet status").stdout).unwrap();
    assert!(report.contains(r"other\u{1b}[2J\u{202e}host"), "{report:?}");
    let mut put_pending = |code: &str, uri: &str| {
        let pending = json!({
            "issuer": fleet.issuer.url(), "client_id": "c", "request": null, "rules": {
                "account": null, "required_account": null, "required_workspace": null,
            }, "approval": null, "verification_uri": uri, "user_code": code,
            "expires_at": "2099-01-01T00:00:00Z",
        });
        let sealed = age::encrypt(&fleet.writers.to_public(), pending.to_string().as_bytes());
        record["sealed"] = base64::engine::general_purpose::STANDARD.encode(sealed.unwrap()).into();
        let key = key.replace("/access", "/pending");
        cluster.ctl(&["put", &key, &record.to_string()]).unwrap();
        host.json("fleet status --json")["pending"].clone()
    };
    let page = "https://a.example/device";
    assert_eq!(put_pending("ABCD-1234", page)["user_code"], "ABCD-1234");
    for (code, uri) in [
        ("ABCD\u{202e}1234", page),
        ("ABCD\u{1b}[2J", page),
        ("ABCD\u{200b}", page),
        ("ABCD-1234", "https://a.example/\u{2066}"),
        ("ABCD-1234", "https://a.example@evil.example/"),
        ("ABCD-1234", "javascript:alert(1)"),
    ] {
        assert!(put_pending(code, uri).is_null(), "{code:?} {uri:?}");
    }
}
