//! ID tokens of standard issuers: a login with an invalid one is revoked and not stored.

use crate::gateway::{Gateway, read};
use crate::machine::ada;
use issuer::{Endpoint, Fault, Signing};
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
    for (signing, why) in [
        (Signing::Stranger, "its signature is not the issuer's"),
        (Signing::Unsigned, "it is not a signed JWT"),
        (Signing::PublicKeyAsSecret, "it is signed with HS256, which is not accepted"),
    ] {
        let gateway = Gateway::with("", |s| s.standard.signing = signing);
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(1), "{signing:?}: {says}");
        assert!(says.contains(why), "{signing:?}: {says}");
        assert_eq!(gateway.machine.issuer.counts().revocations, 1, "{signing:?}");
        assert!(gateway.logins().is_empty());
    }
}

#[test]
fn claim_for_another_issuer_client_or_time_is_refused() {
    let expired = json!(1_500_000_000);
    for (name, value, why) in [
        ("iss", json!("https://other.example"), "(iss)"),
        ("aud", json!("another-client"), "(aud)"),
        ("aud", json!(["gateway-cli", "another-client"]), "(azp)"),
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
