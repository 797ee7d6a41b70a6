use std::thread;

use issuer::{CLIENT_ID, Endpoint, Fault, Issuer};

use crate::{expired_login, post_form, refresh, try_refresh};

#[test]
fn refresh_token_can_be_used_once_and_rotates() {
    let issuer = Issuer::start();
    let old = expired_login(&issuer);
    assert!(!issuer.is_live_access_token(&old.access_token));
    let answer = refresh(&issuer, &old.refresh_token);
    assert_eq!(answer.status, 200);
    let successor = answer.member("refresh_token");
    assert!(issuer.is_live_access_token(&answer.member("access_token")));
    assert!(issuer.is_live_refresh_token(&successor));
    assert_ne!(answer.member("access_token"), old.access_token);

    let again = refresh(&issuer, &old.refresh_token);
    assert_eq!(again.error(), (401, "refresh_token_reused".into()));
    assert!(issuer.is_live_refresh_token(&successor), "reuse does not revoke the successor");
    let counts = issuer.counts();
    assert_eq!((counts.refreshes, counts.refreshes_granted, counts.reuses), (2, 1, 1));
}

#[test]
fn reuse_can_revoke_all_tokens_of_the_sign_in() {
    let issuer = Issuer::start();
    issuer.reuse_revokes_family(true);
    let old = expired_login(&issuer).refresh_token;
    let answer = refresh(&issuer, &old);
    refresh(&issuer, &old);
    let successor = refresh(&issuer, &answer.member("refresh_token"));
    assert_eq!(successor.error(), (401, "refresh_token_invalidated".into()));
    assert!(!issuer.is_live_access_token(&answer.member("access_token")));
}

#[test]
fn concurrent_refreshes_only_one_succeeds() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    let statuses: Vec<u16> = thread::scope(|threads| {
        let refreshing: Vec<_> =
            (0..8).map(|_| threads.spawn(|| refresh(&issuer, &token).status)).collect();
        refreshing.into_iter().map(|r| r.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(issuer.counts().reuses, 7);
    assert_eq!(issuer.counts().in_flight, 0);
    assert_eq!(issuer.times_sent(&token), 8);
}

#[test]
fn refused_refresh_token_has_an_error_code() {
    let issuer = Issuer::start();
    let unknown = refresh(&issuer, "rt_unknown");
    assert_eq!(unknown.error(), (401, "refresh_token_invalidated".into()));
    let token = expired_login(&issuer).refresh_token;
    issuer.expire_refresh_token(&token);
    let expired = refresh(&issuer, &token);
    assert_eq!(expired.error(), (401, "refresh_token_expired".into()));
    let token = expired_login(&issuer).refresh_token;
    issuer.invalidate_refresh_token(&token);
    let invalidated = refresh(&issuer, &token);
    assert_eq!(invalidated.error(), (401, "refresh_token_invalidated".into()));
}

#[test]
fn without_rotation_the_same_token_stays_valid() {
    let issuer = Issuer::builder().set(|s| s.rotation = false).start();
    let token = expired_login(&issuer).refresh_token;
    for _ in 0..2 {
        assert_eq!(refresh(&issuer, &token).member("refresh_token"), token);
    }
    assert_eq!(issuer.resent_after_answer(), 0, "this is not a reuse");
}

#[test]
fn response_without_a_refresh_token_keeps_the_old_one_valid() {
    let issuer = Issuer::start();
    issuer.set(|s| {
        s.refresh_answers_refresh_token = false;
        s.refresh_answers_id_token = false;
    });
    let token = expired_login(&issuer).refresh_token;
    let answer = refresh(&issuer, &token).json();
    assert_eq!(answer.get("refresh_token"), None);
    assert_eq!(answer.get("id_token"), None);
    assert!(answer.get("access_token").is_some());
    assert!(issuer.is_live_refresh_token(&token));
}

#[test]
fn form_is_accepted_unless_it_repeats_a_parameter() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    let url = issuer.url() + "/oauth/token";
    let mut fields = vec![
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("refresh_token", token.as_str()),
        ("client_id", CLIENT_ID),
    ];
    let twice = post_form(&url, &fields);
    assert_eq!(twice.error(), (400, "invalid_request".into()));
    fields.pop();
    assert_eq!(post_form(&url, &fields).status, 200);
}

#[test]
fn refresh_token_is_bound_to_its_client() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    let url = issuer.url() + "/oauth/token";
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "somebody"),
        ("refresh_token", token.as_str()),
    ];
    let unknown = post_form(&url, &fields);
    assert_eq!(unknown.error(), (400, "invalid_client".into()));
    issuer.set(|s| s.client_id = None);
    let other = post_form(&url, &fields);
    assert_eq!(other.error(), (400, "invalid_grant".into()));
    assert!(issuer.is_live_refresh_token(&token));
}

#[test]
fn resent_token_counts_only_after_its_response_was_sent() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::LoseReply, 1);
    assert!(try_refresh(&issuer, &token).is_err());
    refresh(&issuer, &token);
    assert_eq!((issuer.times_sent(&token), issuer.resent_after_answer()), (2, 0));

    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::Truncate, 1);
    assert!(try_refresh(&issuer, &token).is_err());
    refresh(&issuer, &token);
    assert_eq!(issuer.resent_after_answer(), 0);

    let token = expired_login(&issuer).refresh_token;
    refresh(&issuer, &token);
    refresh(&issuer, &token);
    assert_eq!(issuer.resent_after_answer(), 1);
}

#[test]
fn log_has_no_secrets() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    refresh(&issuer, &token);
    let log = issuer.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].outcome, "granted");
    assert_eq!(log[0].grant_type.as_deref(), Some("refresh_token"));
    assert_eq!(log[0].token.as_ref().map(String::len), Some(8));
    assert!(!format!("{log:?} {}", log[0]).contains(&token));
}
