//! What the other trials count, counted where it does happen: by a client that is none of ours.

use crate::provider::{DEVICE_CODE, Kind, PUBLIC, Provider, Refreshes, get, post};
use serde_json::Value;

fn invitation(provider: &Provider) -> Value {
    let form = [("client_id", PUBLIC), ("scope", provider.kind.scope())];
    post(&provider.endpoints.device_authorization_endpoint, None, &form).1
}

fn poll(provider: &Provider, invitation: &Value) -> (u16, Value) {
    let code = invitation["device_code"].as_str().unwrap();
    let form = [("grant_type", DEVICE_CODE), ("device_code", code), ("client_id", PUBLIC)];
    post(&provider.endpoints.token_endpoint, None, &form)
}

fn refresh(provider: &Provider, tokens: &Value) -> (u16, Value) {
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", PUBLIC)];
    post(&provider.endpoints.token_endpoint, None, &form)
}

fn decide(provider: &Provider, invitation: &Value, account: &str, decision: &str) {
    let member = |name: &str| invitation[name].as_str().unwrap();
    provider.decide([member("verification_uri"), member("user_code")], account, decision);
}

fn is_active(provider: &Provider, tokens: &Value) -> bool {
    provider.is_active(tokens["access_token"].as_str().unwrap())
}

pub fn a_rotated_token_that_comes_back_is_seen_and_ends_the_login(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let invitation = invitation(&provider);
    assert_eq!(poll(&provider, &invitation).1["error"], "authorization_pending");
    decide(&provider, &invitation, "ada", "approve");
    let (status, first) = poll(&provider, &invitation);
    assert_eq!(status, 200);
    let (status, second) = refresh(&provider, &first);
    assert_eq!(status, 200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert!(is_active(&provider, &second));
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 0, reused: 0 });
    let (status, refused) = refresh(&provider, &first);
    assert_eq!((status, &refused["error"]), (400, &"invalid_grant".into()));
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 1, reused: 1 });
    assert!(!is_active(&provider, &second));
    assert_eq!(refresh(&provider, &second).0, 400);
}

pub fn a_denial_is_said_to_the_program(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let invitation = invitation(&provider);
    decide(&provider, &invitation, "ada", "deny");
    assert_eq!(poll(&provider, &invitation).1["error"], "access_denied");
    assert_eq!(provider.granted(), Vec::<String>::new());
    let asked = provider.asked(DEVICE_CODE);
    assert_eq!(asked.last().unwrap().error.as_deref(), Some("access_denied"));
}

pub fn what_is_revoked_is_no_longer_active(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let invitation = invitation(&provider);
    decide(&provider, &invitation, "bob", "approve");
    let tokens = poll(&provider, &invitation).1;
    assert!(is_active(&provider, &tokens));
    assert_eq!(provider.granted(), [tokens["access_token"].as_str().unwrap()]);
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("token", token), ("client_id", PUBLIC)];
    assert_eq!(post(&provider.endpoints.revocation_endpoint, None, &form).0, 200);
    assert_eq!(provider.revocations(), 1);
    assert!(!is_active(&provider, &tokens));
}

pub fn discovery_does_not_always_tell_where_device_logins_begin(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let issuer = &provider.endpoints.issuer;
    let (status, document) = get(&format!("{issuer}/.well-known/openid-configuration"));
    assert_eq!((status, document["issuer"].as_str()), (200, Some(issuer.as_str())));
    assert_eq!(document["jwks_uri"], provider.endpoints.jwks_uri.as_str());
    let named = document["device_authorization_endpoint"].as_str();
    let endpoint = provider.endpoints.device_authorization_endpoint.as_str();
    assert_eq!(named, (kind == Kind::OidcProvider).then_some(endpoint));
}
