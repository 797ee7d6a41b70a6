use std::time::Duration;

use issuer::{CLIENT_ID, Endpoint, Fault, Interval, Issuer};
use serde_json::json;

use crate::{Reply, get, post_form};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn start(issuer: &Issuer) -> Reply {
    post_form(&(issuer.url() + "/device_authorization"), &[("client_id", CLIENT_ID)])
}

fn poll(issuer: &Issuer, login: &Reply) -> Reply {
    let code = login.member("device_code");
    let fields = [("client_id", CLIENT_ID), ("grant_type", GRANT), ("device_code", &code)];
    post_form(&(issuer.url() + "/token"), &fields)
}

fn refresh(issuer: &Issuer, token: &str) -> Reply {
    let fields =
        [("client_id", CLIENT_ID), ("grant_type", "refresh_token"), ("refresh_token", token)];
    post_form(&(issuer.url() + "/token"), &fields)
}

fn is_active(issuer: &Issuer, token: &str) -> bool {
    let url = issuer.url() + "/introspect";
    post_form(&url, &[("client_id", CLIENT_ID), ("token", token)]).json()["active"] == true
}

/// Starts a server without an interval, so that no poll is early.
fn quick() -> Issuer {
    Issuer::builder().set(|s| s.interval = Interval::Number(0)).start()
}

#[test]
fn both_metadata_documents_have_the_endpoints() {
    let issuer = quick();
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let answer = get(&(issuer.url() + path));
        assert_eq!(answer.member("issuer"), issuer.url());
        assert_eq!(answer.member("token_endpoint"), issuer.url() + "/token");
    }
    issuer.set(|s| s.standard.oauth_discovery = false);
    assert_eq!(get(&(issuer.url() + "/.well-known/oauth-authorization-server")).status, 404);
    assert_eq!(issuer.counts().discoveries, 3);
}

#[test]
fn second_successful_poll_revokes_the_tokens() {
    let issuer = quick();
    let login = start(&issuer);
    assert_eq!(poll(&issuer, &login).member("error"), "authorization_pending");
    issuer.approve(&login.member("user_code"));
    let tokens = poll(&issuer, &login);
    assert!(is_active(&issuer, &tokens.member("access_token")));
    assert_eq!(poll(&issuer, &login).member("error"), "invalid_grant");
    assert!(!is_active(&issuer, &tokens.member("access_token")));
    assert!(!issuer.is_live_refresh_token(&tokens.member("refresh_token")));
    assert_eq!(issuer.counts().polls_after_success, 1);
}

#[test]
fn early_poll_lengthens_the_interval_by_five_seconds() {
    let issuer = Issuer::builder().set(|s| s.interval = Interval::Number(60)).start();
    let login = start(&issuer);
    assert_eq!(login.json()["interval"], 60);
    assert_eq!(poll(&issuer, &login).member("error"), "authorization_pending");
    assert_eq!(poll(&issuer, &login).member("error"), "slow_down");
    assert_eq!(issuer.counts().early_polls, 1);
}

#[test]
fn denied_or_expired_code_yields_no_tokens() {
    let issuer = quick();
    let denied = start(&issuer);
    issuer.deny(&denied.member("user_code"));
    assert_eq!(poll(&issuer, &denied).member("error"), "access_denied");
    assert_eq!(poll(&issuer, &denied).member("error"), "invalid_grant");
    let expired = start(&issuer);
    issuer.expire_user_code(&expired.member("user_code"));
    assert_eq!(poll(&issuer, &expired).member("error"), "expired_token");
}

#[test]
fn refresh_token_rotates_and_reuse_is_counted() {
    let issuer = quick();
    let tokens = issuer.grant(&Issuer::accounts()[0], 3600);
    let renewed = refresh(&issuer, &tokens.refresh_token);
    assert!(is_active(&issuer, &renewed.member("access_token")));
    let again = refresh(&issuer, &tokens.refresh_token);
    assert_eq!((again.status, again.member("error")), (400, "invalid_grant".into()));
    assert_eq!(issuer.counts().reuses, 1);
    let url = issuer.url() + "/revoke";
    let token = renewed.member("refresh_token");
    assert_eq!(post_form(&url, &[("client_id", CLIENT_ID), ("token", &token)]).status, 200);
    assert!(!is_active(&issuer, &renewed.member("access_token")));
}

#[test]
fn client_secret_is_accepted_in_one_place_only() {
    let issuer = quick();
    issuer.set(|s| s.standard.client_secret = Some("a b".into()));
    assert_eq!(start(&issuer).member("error"), "invalid_client");
    let url = issuer.url() + "/device_authorization";
    let fields = [("client_id", CLIENT_ID), ("client_secret", "a b")];
    assert_eq!(post_form(&url, &fields).status, 401, "the secret belongs in the header");
    issuer.set(|s| s.standard.secret_in_body = true);
    assert_eq!(post_form(&url, &fields).status, 200);
}

#[test]
fn clock_ahead_shows_in_date() {
    let issuer = quick();
    issuer.set(|s| s.clock_ahead = 400 * 24 * 3600);
    let date = |answer: Reply| answer.headers["date"].to_str().unwrap().to_owned();
    let shifted = date(get(&(issuer.url() + "/jwks")));
    issuer.set(|s| s.clock_ahead = 0);
    assert_ne!(date(get(&(issuer.url() + "/jwks")))[5..16], shifted[5..16]);
}

#[test]
fn faults_apply_to_the_standard_dialect() {
    let issuer = quick();
    issuer.fault(Endpoint::Keys, Fault::status(500, json!({}).to_string()), 1);
    assert_eq!(get(&(issuer.url() + "/jwks")).status, 500);
    issuer.set(|s| s.code_lifetime = Duration::from_secs(90));
    assert_eq!(start(&issuer).json()["expires_in"], 90);
}
