use std::time::Duration;

use issuer::{Interval, Issuer};
use serde_json::{Value, json};

use crate::{PATIENCE, poll, post, user_code};

#[test]
fn user_code_response_matches_the_real_server() {
    let issuer = Issuer::start();
    let answer = user_code(&issuer);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["interval"], "5");
    assert_eq!(answer.json().get("expires_in"), None);
    assert_eq!(issuer.user_codes(), [answer.member("user_code")]);
}

#[test]
fn interval_can_be_a_number_or_absent() {
    let issuer = Issuer::start();
    issuer.set(|s| s.interval = Interval::Number(7));
    assert_eq!(user_code(&issuer).json()["interval"], 7);
    issuer.set(|s| s.interval = Interval::Absent);
    assert_eq!(user_code(&issuer).json().get("interval"), None);
}

#[test]
fn other_lifetime_than_the_default_is_announced() {
    let issuer = Issuer::builder().set(|s| s.code_lifetime = Duration::from_secs(90)).start();
    assert_eq!(user_code(&issuer).json()["expires_in"], 90);
}

#[test]
fn disabled_device_authorization_answers_404() {
    let issuer = Issuer::builder().set(|s| s.device_login = false).start();
    assert_eq!(user_code(&issuer).status, 404);
}

#[test]
fn unknown_client_gets_no_code() {
    let issuer = Issuer::start();
    let url = issuer.url() + "/api/accounts/deviceauth/usercode";
    let answer = post(&url, json!({ "client_id": "somebody" }));
    assert_eq!(answer.error(), (400, "invalid_client".into()));
    assert_eq!(post(&url, json!({})).error(), (400, "invalid_request".into()));
}

#[test]
fn poll_is_refused_until_the_user_approves() {
    let issuer = Issuer::start();
    let login = user_code(&issuer);
    assert_eq!(poll(&issuer, &login).error(), (403, "authorization_pending".into()));
    issuer.approve(&login.member("user_code"));
    let answer = poll(&issuer, &login);
    assert_eq!(answer.status, 200);
    for name in ["authorization_code", "code_challenge", "code_verifier"] {
        assert_ne!(answer.member(name), "", "{name}");
    }
    assert!(issuer.user_codes().is_empty());
}

#[test]
fn denied_device_authorization_stays_denied() {
    let issuer = Issuer::start();
    let login = user_code(&issuer);
    issuer.deny(&login.member("user_code"));
    assert_eq!(poll(&issuer, &login).error(), (403, "access_denied".into()));
    assert_eq!(poll(&issuer, &login).error(), (403, "access_denied".into()));
}

#[test]
fn approved_code_expires() {
    let issuer = Issuer::builder().set(|s| s.code_lifetime = Duration::ZERO).start();
    let login = user_code(&issuer);
    assert_eq!(poll(&issuer, &login).error(), (403, "expired_token".into()));
    assert!(issuer.user_codes().is_empty());
}

#[test]
fn poll_needs_both_codes() {
    let issuer = Issuer::start();
    let (one, other) = (user_code(&issuer), user_code(&issuer));
    let url = issuer.url() + "/api/accounts/deviceauth/token";
    let mixed: Value = json!({
        "device_auth_id": one.member("device_auth_id"), "user_code": other.member("user_code"),
    });
    assert_eq!(post(&url, mixed).error(), (404, "unknown_device".into()));
}

#[test]
fn early_poll_is_answered_and_counted() {
    let issuer = Issuer::start();
    let login = user_code(&issuer);
    poll(&issuer, &login);
    assert_eq!(issuer.counts().early_polls, 0, "the first poll is never early");
    assert_eq!(poll(&issuer, &login).status, 403);
    assert_eq!(issuer.counts().early_polls, 1);

    issuer.set(|s| s.interval = Interval::Number(0));
    let login = user_code(&issuer);
    poll(&issuer, &login);
    poll(&issuer, &login);
    assert_eq!((issuer.counts().polls, issuer.counts().early_polls), (4, 1));
}

#[test]
fn auto_approve_approves_without_a_user() {
    let issuer = Issuer::builder().set(|s| s.auto_approve = Some(Duration::ZERO)).start();
    let login = user_code(&issuer);
    assert_eq!(poll(&issuer, &login).status, 200);
}

#[test]
fn wait_for_user_code_returns_when_a_code_is_requested() {
    let issuer = Issuer::start();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| issuer.wait_for_user_code(PATIENCE));
        let login = user_code(&issuer);
        assert_eq!(waiting.join().unwrap(), Some(login.member("user_code")));
    });
}
