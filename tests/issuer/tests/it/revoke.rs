use issuer::{CLIENT_ID, Issuer};
use serde_json::json;

use crate::{Reply, post, post_form, refresh};

fn revoke(issuer: &Issuer, token: &str) -> Reply {
    let body =
        json!({ "token": token, "token_type_hint": "refresh_token", "client_id": CLIENT_ID });
    post(&(issuer.url() + "/oauth/revoke"), body)
}

#[test]
fn revoked_refresh_token_revokes_all_tokens_of_the_sign_in() {
    let issuer = Issuer::start();
    let first = issuer.grant(&Issuer::accounts()[0], 3600);
    let other = issuer.grant(&Issuer::accounts()[0], 3600);
    let second = refresh(&issuer, &first.refresh_token);
    let successor = second.member("refresh_token");
    assert_eq!(revoke(&issuer, &successor).status, 200);
    assert!(!issuer.is_live_refresh_token(&successor));
    assert!(!issuer.is_live_access_token(&second.member("access_token")));
    assert!(!issuer.is_live_access_token(&first.access_token));
    assert!(issuer.is_live_refresh_token(&other.refresh_token));
    assert_eq!(issuer.counts().revocations, 1);
}

#[test]
fn revoked_access_token_revokes_only_itself() {
    let issuer = Issuer::start();
    let tokens = issuer.grant(&Issuer::accounts()[0], 3600);
    assert_eq!(revoke(&issuer, &tokens.access_token).status, 200);
    assert!(!issuer.is_live_access_token(&tokens.access_token));
    assert!(issuer.is_live_refresh_token(&tokens.refresh_token));
}

#[test]
fn invalid_token_is_accepted_and_revokes_nothing() {
    let issuer = Issuer::start();
    let spent = issuer.grant(&Issuer::accounts()[0], 3600).refresh_token;
    let successor = refresh(&issuer, &spent).member("refresh_token");
    assert_eq!(revoke(&issuer, &spent).status, 200);
    assert_eq!(revoke(&issuer, "rt_unknown").status, 200);
    assert!(issuer.is_live_refresh_token(&successor));
}

#[test]
fn form_is_accepted_from_a_known_client() {
    let issuer = Issuer::start();
    let token = issuer.grant(&Issuer::accounts()[0], 3600).refresh_token;
    let url = issuer.url() + "/oauth/revoke";
    let somebody = post_form(&url, &[("token", &token), ("client_id", "somebody")]);
    assert_eq!(somebody.error(), (400, "invalid_client".into()));
    assert!(issuer.is_live_refresh_token(&token));
    post_form(&url, &[("token", &token), ("client_id", CLIENT_ID)]);
    assert!(!issuer.is_live_refresh_token(&token));
}
