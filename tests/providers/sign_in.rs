//! Device authorization on the provider's pages.

use crate::home::{Home, invitation, outcome};
use crate::provider::{DEVICE_CODE, Kind, Provider, Refreshes};

pub fn approval_stores_a_login_and_the_next_get_sends_no_request(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
    let token = home.sign_in(&provider, "ada");
    assert!(provider.is_active(&token));
    assert_eq!(provider.granted(), [token.as_str()]);
    // No poll may follow the successful one: one provider would end the login, the other would grant a second one.
    let polls = provider.requests(DEVICE_CODE);
    assert_eq!(polls.iter().position(|poll| poll.status == 200), Some(polls.len() - 1));
    let requests = provider.log().len();
    for _ in 0..3 {
        assert_eq!(home.token(), token);
    }
    assert_eq!(provider.log().len(), requests, "a valid token needs no request");
}

pub fn denial_ends_the_sign_in(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    let mut login = home.start_login("");
    let code = login.event("code");
    provider.decide(invitation(&code), "ada", "deny");
    let denied = login.event("denied");
    assert_eq!(denied["error"]["kind"], "denied", "{denied}");
    let (status, error) = login.end();
    assert_eq!((status, &error["kind"]), (4, &"denied".into()), "{error}");
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
    let polls = provider.requests(DEVICE_CODE);
    assert_eq!(polls.last().unwrap().error.as_deref(), Some("access_denied"));
    assert_eq!(polls.iter().filter(|poll| poll.status == 200).count(), 0);
}

/// Django does not report that a code has expired, so the program must enforce the lifetime.
pub fn expired_code_is_replaced_by_a_new_one(kind: Kind) {
    let provider = Provider::start(kind, &[("DEVICE_CODE_SECONDS", "20")]);
    let home = Home::new(&provider);
    let mut login = home.start_login("--wait 90s");
    let first = login.event("code");
    login.event("expired");
    let second = login.event("code");
    assert_ne!(first["user_code"], second["user_code"]);
    provider.decide(invitation(&second), "ada", "approve");
    login.event("approved");
    assert_eq!(login.end().0, 0);
    assert_eq!(provider.granted(), [home.token()]);
    // At one poll in five seconds, eight polls fit into the lifetimes of both codes if only one code is polled at a time.
    let polls = provider.requests(DEVICE_CODE).len();
    assert!(polls <= 8, "{polls} polls");
}

pub fn confidential_client_signs_in_renews_and_logs_out(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::of_confidential_client(&provider);
    let token = home.sign_in(&provider, "ada");
    home.reject(&token);
    let renewed = home.token();
    assert_ne!(renewed, token);
    assert!(provider.is_active(&renewed));
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 0, reused: 0 });
    assert!(home.run("logout").status.success());
    assert_eq!(provider.revocations(), 1);
    // Glewlwyd ends the refresh token alone.
    assert_eq!(provider.is_active(&renewed), kind == Kind::Glewlwyd);
}

pub fn jwt_access_token_is_renewed(kind: Kind) {
    let provider = Provider::start(kind, &[("ACCESS_TOKENS", "jwt")]);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    assert_eq!(token.split('.').count(), 3, "a JWT");
    home.reject(&token);
    assert_ne!(home.token(), token);
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 0, reused: 0 });
}
