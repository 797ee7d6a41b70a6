//! ID tokens of standard issuers: a login with an invalid one is revoked and not stored.

use crate::gateway::{Gateway, read};
use crate::machine::ada;
use issuer::{Endpoint, Fault, Signing};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

fn claim(name: &str, value: Value) -> serde_json::Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

#[test]
fn each_allowed_signature_is_accepted() {
    for signing in [Signing::Es256, Signing::EdDsa] {
        let gateway = Gateway::with("account = \"ada\"", |s| s.standard.signing = signing);
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(0), "{signing:?}: {says}");
        assert!(read(&gateway.logins()[0])["id_token"].is_string());
    }
}

#[test]
fn invalid_signature_is_refused() {
    let gateway = Gateway::with("", |s| s.standard.signing = Signing::Stranger);
    let (code, says) = gateway.sign_in_as(&ada(), "");
    assert_eq!(code, Some(1), "{says}");
    assert!(says.contains("its signature is not the issuer's"), "{says}");
    assert_eq!(gateway.machine.issuer.counts().revocations, 1);
    assert!(gateway.logins().is_empty());
}

#[test]
fn signature_that_cannot_be_checked_waits_for_the_user_to_decide() {
    for (signing, why) in [
        (Signing::Unsigned, "it is not signed"),
        (Signing::PublicKeyAsSecret, "it is signed with HS256, which is not supported"),
        (Signing::Es512, "it is signed with ES512, which is not supported"),
        (Signing::UnknownKey, "the issuer publishes no usable key for it"),
    ] {
        let gateway = Gateway::with("", |s| s.standard.signing = signing);
        let issuer = &gateway.machine.issuer;
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(2), "{signing:?}: {says}");
        assert!(says.contains(why), "{signing:?}: {says}");
        assert!(
            says.contains("id_token = \"ignore\"") && says.contains("login --cancel"),
            "{says}"
        );
        assert_eq!((issuer.counts().revocations, gateway.logins().len()), (0, 0), "{signing:?}");
        // The user decides to ignore ID tokens: the login is stored without a new sign-in.
        gateway.configure("id_token = \"ignore\"");
        gateway.token();
        assert_eq!((issuer.counts().user_codes, issuer.counts().revocations), (1, 0));
        assert!(read(&gateway.logins()[0])["id_token"].is_null());
        // … or decides against the sign-in.
        let gateway = Gateway::with("", |s| s.standard.signing = signing);
        gateway.sign_in_as(&ada(), "");
        gateway.command("login --cancel --wait 20s").assert().success();
        assert_eq!(gateway.machine.issuer.counts().revocations, 1, "{signing:?}");
    }
}

#[test]
fn profile_test_names_unsupported_signatures_and_the_way_out() {
    let gateway = Gateway::with("", |s| {
        s.standard
            .more_metadata
            .insert("id_token_signing_alg_values_supported".into(), json!(["ES512", "HS256"]));
    });
    let test = || gateway.machine.command("profile test company").assert().success();
    test().stdout(contains("ES512, HS256").and(contains("id_token = \"ignore\"")));
    gateway.configure("id_token = \"ignore\"");
    test().stdout(contains("ES512").not().and(contains("ignored, as the profile says")));
}

#[test]
fn own_client_among_several_audiences_is_accepted() {
    for audience in [json!(["gateway-cli", "another-client"]), json!(["gateway-cli"])] {
        let gateway = Gateway::with("", |s| s.standard.id_token_claims = claim("aud", audience));
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(0), "{says}");
        assert!(read(&gateway.logins()[0])["id_token"].is_string());
    }
}

#[test]
fn claim_for_another_issuer_client_or_time_is_refused() {
    let expired = json!(1_500_000_000);
    for (name, value, why) in [
        ("iss", json!("https://other.example"), "(iss)"),
        ("aud", json!("another-client"), "(aud)"),
        ("aud", json!(["another-client", "a-third-client"]), "(aud)"),
        ("azp", json!("another-client"), "(azp)"),
        ("exp", expired, "it has expired"),
    ] {
        let gateway = Gateway::with("", |s| s.standard.id_token_claims = claim(name, value));
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(1), "{name}: {says}");
        assert!(says.contains("proves nothing") && says.contains(why), "{name}: {says}");
        assert_eq!(gateway.machine.issuer.counts().revocations, 1);
        assert!(gateway.logins().is_empty());
    }
}

#[test]
fn unavailable_keys_leave_the_response_in_the_journal() {
    let gateway = Gateway::new();
    let issuer = &gateway.machine.issuer;
    issuer.fault(Endpoint::Keys, Fault::status(503, "<html>"), 1);
    let (code, says) = gateway.sign_in_as(&ada(), "");
    assert_eq!(code, Some(1), "{says}");
    assert!(gateway.logins().is_empty());
    // The next call stores it without a new sign-in.
    gateway.token();
    let counts = issuer.counts();
    assert_eq!(
        (counts.user_codes, counts.exchanges_granted, counts.polls_after_success),
        (1, 1, 0)
    );
}

#[test]
fn invalid_id_token_in_a_renewal_leaves_the_old_one_in_place() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let before = read(&gateway.logins()[0]);
    gateway.machine.issuer.set(|s| s.standard.signing = Signing::Stranger);
    gateway.erase(&token);
    assert_ne!(gateway.token(), token);
    let after = read(&gateway.logins()[0]);
    assert_eq!(after["id_token"], before["id_token"]);
    assert_ne!(after["refresh_token"], before["refresh_token"]);
}

#[test]
fn id_token_is_ignored_if_the_issuer_publishes_no_keys() {
    let gateway = Gateway::with("", |s| s.standard.not_discovered = vec!["jwks_uri".into()]);
    let (code, says) = gateway.sign_in_as(&ada(), "");
    assert_eq!(code, Some(0), "{says}");
    let login = read(&gateway.logins()[0]);
    assert!(login["id_token"].is_null() && login["account"]["email"].is_null());
}
