//! Authorization server metadata: used only if it is for the configured issuer.

use crate::gateway::Gateway;
use issuer::{Endpoint, Fault};
use predicates::str::contains;

fn renew(gateway: &Gateway) {
    let token = gateway.token();
    gateway.erase(&token);
    assert_ne!(gateway.token(), token);
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
