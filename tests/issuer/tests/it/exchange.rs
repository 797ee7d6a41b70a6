use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use issuer::{CLIENT_ID, Issuer};
use serde_json::{Value, json};

use crate::{Reply, poll, post, post_form, user_code};

/// Returns the form that Codex sends after an approval, with one field changed.
fn exchange(issuer: &Issuer, approved: &Reply, changed: &str, to: &str) -> Reply {
    let redirect_uri = issuer.url() + "/deviceauth/callback";
    let code = approved.member("authorization_code");
    let verifier = approved.member("code_verifier");
    let mut fields = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", &verifier),
    ];
    for (_, value) in fields.iter_mut().filter(|(name, _)| *name == changed) {
        *value = to;
    }
    post_form(&(issuer.url() + "/oauth/token"), &fields)
}

fn approved(issuer: &Issuer) -> Reply {
    let login = user_code(issuer);
    issuer.approve_as(&login.member("user_code"), &Issuer::accounts()[1]);
    poll(issuer, &login)
}

fn claims(jwt: &str) -> Value {
    let parts: Vec<&str> = jwt.split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[test]
fn code_yields_tokens_of_the_account_that_approved() {
    let issuer = Issuer::start();
    let answer = exchange(&issuer, &approved(&issuer), "", "");
    assert_eq!(answer.status, 200);
    let account = &Issuer::accounts()[1];
    for name in ["id_token", "access_token"] {
        let claims = claims(&answer.member(name));
        let auth = &claims["https://api.openai.com/auth"];
        assert_eq!(claims["email"], account.email);
        assert_eq!(claims["iss"], issuer.url());
        assert_eq!(auth["chatgpt_account_id"], account.account_id);
        assert_eq!(auth["chatgpt_plan_type"], "team");
    }
    let access_token = answer.member("access_token");
    assert!((1400..1700).contains(&access_token.len()), "{}", access_token.len());
    assert!(issuer.is_live_access_token(&access_token));
    assert!(issuer.is_live_refresh_token(&answer.member("refresh_token")));
    assert_eq!(issuer.counts().exchanges_granted, 1);
}

#[test]
fn code_can_be_used_once() {
    let issuer = Issuer::start();
    let login = user_code(&issuer);
    issuer.approve(&login.member("user_code"));
    let approved = poll(&issuer, &login);
    assert_eq!(exchange(&issuer, &approved, "", "").status, 200);
    let again = exchange(&issuer, &approved, "", "");
    assert_eq!(again.error(), (400, "invalid_grant".into()));
    assert_eq!(poll(&issuer, &login).status, 404, "the device authorization has ended");
    let counts = issuer.counts();
    assert_eq!((counts.exchanges, counts.exchanges_granted), (2, 1));
}

#[test]
fn wrong_parameter_is_refused() {
    let issuer = Issuer::start();
    let approved = approved(&issuer);
    let other_host = issuer.url().replace("127.0.0.1", "localhost") + "/deviceauth/callback";
    for (name, wrong, error) in [
        ("redirect_uri", other_host.as_str(), "invalid_grant"),
        ("code_verifier", "wrong", "invalid_grant"),
        ("code", "wrong", "invalid_grant"),
        ("client_id", "somebody", "invalid_client"),
        ("grant_type", "password", "unsupported_grant_type"),
    ] {
        let answer = exchange(&issuer, &approved, name, wrong);
        assert_eq!(answer.error(), (400, error.into()), "{name}");
    }
    let right = exchange(&issuer, &approved, "", "");
    assert_eq!(right.status, 200, "a refused request does not use the code");
}

#[test]
fn code_must_be_sent_as_a_form() {
    let issuer = Issuer::start();
    let body = json!({ "grant_type": "authorization_code", "client_id": CLIENT_ID });
    let answer = post(&(issuer.url() + "/oauth/token"), body);
    assert_eq!(answer.error(), (400, "invalid_request".into()));
}
