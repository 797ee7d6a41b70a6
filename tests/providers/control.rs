//! Control tests: a plain OAuth client causes the events that the other tests count. This shows
//! that the counts work.

use crate::provider::{DEVICE_CODE, Kind, PUBLIC, Provider, Refreshes, get, post};
use serde_json::Value;

fn authorization(provider: &Provider) -> Value {
    let form = [("client_id", PUBLIC), ("scope", provider.kind.scope())];
    post(&provider.endpoints.device_authorization_endpoint, None, &form).1
}

fn poll(provider: &Provider, authorization: &Value) -> (u16, Value) {
    let code = authorization["device_code"].as_str().unwrap();
    let form = [("grant_type", DEVICE_CODE), ("device_code", code), ("client_id", PUBLIC)];
    post(&provider.endpoints.token_endpoint, None, &form)
}

fn refresh(provider: &Provider, tokens: &Value) -> (u16, Value) {
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", PUBLIC)];
    post(&provider.endpoints.token_endpoint, None, &form)
}

fn decide(provider: &Provider, authorization: &Value, account: &str, decision: &str) {
    let member = |name: &str| authorization[name].as_str().unwrap();
    provider.decide([member("verification_uri"), member("user_code")], account, decision);
}

fn is_active(provider: &Provider, tokens: &Value) -> bool {
    provider.is_active(tokens["access_token"].as_str().unwrap())
}

pub fn reused_refresh_token_is_counted_and_ends_the_login(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let authorization = authorization(&provider);
    assert_eq!(poll(&provider, &authorization).1["error"], "authorization_pending");
    decide(&provider, &authorization, "ada", "approve");
    let (status, first) = poll(&provider, &authorization);
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

pub fn denial_is_reported_to_the_polling_client(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let authorization = authorization(&provider);
    decide(&provider, &authorization, "ada", "deny");
    assert_eq!(poll(&provider, &authorization).1["error"], "access_denied");
    assert_eq!(provider.granted(), Vec::<String>::new());
    let requests = provider.requests(DEVICE_CODE);
    assert_eq!(requests.last().unwrap().error.as_deref(), Some("access_denied"));
}

pub fn revoked_token_is_inactive(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let authorization = authorization(&provider);
    decide(&provider, &authorization, "bob", "approve");
    let tokens = poll(&provider, &authorization).1;
    assert!(is_active(&provider, &tokens));
    assert_eq!(provider.granted(), [tokens["access_token"].as_str().unwrap()]);
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("token", token), ("client_id", PUBLIC)];
    assert_eq!(post(&provider.endpoints.revocation_endpoint, None, &form).0, 200);
    assert_eq!(provider.revocations(), 1);
    assert!(!is_active(&provider, &tokens));
}

pub fn discovery_names_the_device_authorization_endpoint_only_at_oidc_provider(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let issuer = &provider.endpoints.issuer;
    let (status, document) = get(&format!("{issuer}/.well-known/openid-configuration"));
    assert_eq!((status, document["issuer"].as_str()), (200, Some(issuer.as_str())));
    assert_eq!(document["jwks_uri"], provider.endpoints.jwks_uri.as_str());
    let named = document["device_authorization_endpoint"].as_str();
    let endpoint = provider.endpoints.device_authorization_endpoint.as_str();
    assert_eq!(named, (kind == Kind::OidcProvider).then_some(endpoint));
}
