use issuer::{Interval, Issuer};
use serde_json::{Value, json};

use crate::{Reply, ask_model, get, poll, post, refresh, user_code};

fn control(issuer: &Issuer, name: &str, body: Value) -> Reply {
    post(&format!("{}/_issuer/{name}", issuer.url()), body)
}

#[test]
fn control_can_approve_and_deny() {
    let issuer = Issuer::start();
    let (one, other) = (user_code(&issuer), user_code(&issuer));
    let pending = get(&(issuer.url() + "/_issuer/user_codes")).json();
    assert_eq!(pending.as_array().map(Vec::len), Some(2));
    let [one_code, other_code] = [&one, &other].map(|login| login.member("user_code"));
    let body = json!({ "user_code": one_code, "account": "grace@example.org" });
    assert_eq!(control(&issuer, "approve", body).status, 200);
    control(&issuer, "deny", json!({ "user_code": other_code }));
    assert_eq!(poll(&issuer, &one).status, 200);
    assert_eq!(poll(&issuer, &other).error().1, "access_denied");
    let again = control(&issuer, "deny", json!({ "user_code": other_code }));
    assert_eq!(again.status, 400);
}

#[test]
fn control_can_change_single_settings() {
    let issuer = Issuer::start();
    let body = json!({ "interval": { "number": 1 }, "auto_approve": 0.5, "code_lifetime": 60 });
    assert_eq!(control(&issuer, "settings", body).status, 200);
    let settings = issuer.settings();
    assert_eq!(settings.interval, Interval::Number(1));
    assert_eq!(settings.code_lifetime.as_secs(), 60);
    assert!(settings.rotation);
    let misspelt = control(&issuer, "settings", json!({ "rotations": false }));
    assert_eq!(misspelt.status, 400);
}

#[test]
fn control_can_grant_tokens_and_inject_faults() {
    let issuer = Issuer::start();
    let tokens = control(&issuer, "grant", json!({ "lifetime": 60 }));
    assert_eq!(ask_model(&issuer, &tokens.member("access_token")).status, 200);
    let fault = json!({ "endpoint": "refresh", "fault": { "status": { "code": 503 } } });
    assert_eq!(control(&issuer, "fault", fault).status, 200);
    let token = tokens.member("refresh_token");
    assert_eq!(refresh(&issuer, &token).status, 503);
    assert_eq!(refresh(&issuer, &token).status, 200);
    let drop_all = json!({ "endpoint": "refresh", "fault": "drop", "times": u32::MAX });
    assert_eq!(control(&issuer, "fault", drop_all).status, 200);
    control(&issuer, "clear_faults", json!({}));
    assert_eq!(refresh(&issuer, &token).status, 401);
}

#[test]
fn control_can_read_counts_and_log() {
    let issuer = Issuer::start();
    user_code(&issuer);
    let counts = get(&(issuer.url() + "/_issuer/counts")).json();
    assert_eq!(counts["user_codes"], 1);
    let log = get(&(issuer.url() + "/_issuer/log")).json();
    assert_eq!(log.as_array().map(Vec::len), Some(1), "control requests are not logged");
    assert_eq!(log[0]["outcome"], "granted");
}
