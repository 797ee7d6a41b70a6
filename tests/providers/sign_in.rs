//! From nobody signed in to a token, by the provider's own pages.

use crate::home::{Home, invitation, outcome};
use crate::provider::{DEVICE_CODE, Kind, Provider, Refreshes};

pub fn approved_in_the_browser_and_the_next_get_is_warm(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
    let token = home.sign_in(&provider, "ada");
    assert!(provider.is_active(&token));
    assert_eq!(provider.granted(), [token.as_str()]);
    // Both providers punish another poll: the one with its grant, the other with a second one.
    let polls = provider.asked(DEVICE_CODE);
    assert_eq!(polls.iter().position(|poll| poll.status == 200), Some(polls.len() - 1));
    let requests = provider.log().len();
    for _ in 0..3 {
        assert_eq!(home.token(), token);
    }
    assert_eq!(provider.log().len(), requests, "warm is without the provider");
}

pub fn denied_in_the_browser(kind: Kind) {
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
    let polls = provider.asked(DEVICE_CODE);
    assert_eq!(polls.last().unwrap().error.as_deref(), Some("access_denied"));
    assert_eq!(polls.iter().filter(|poll| poll.status == 200).count(), 0);
}

/// Django never says that a code has expired: the end is kept by us.
pub fn a_code_expires_and_the_next_one_is_approved(kind: Kind) {
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
    // One code at a time: so many polls fit into the life of both, at one in five seconds.
    let polls = provider.asked(DEVICE_CODE).len();
    assert!(polls <= 8, "{polls} polls");
}

pub fn with_a_client_secret(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::of_confidential_client(&provider);
    let token = home.sign_in(&provider, "ada");
    home.refused(&token);
    let renewed = home.token();
    assert_ne!(renewed, token);
    assert!(provider.is_active(&renewed));
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 0, reused: 0 });
    assert!(home.run("logout").status.success());
    assert!(!provider.is_active(&renewed));
}

pub fn access_tokens_that_are_jwts(kind: Kind) {
    let provider = Provider::start(kind, &[("ACCESS_TOKENS", "jwt")]);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    assert_eq!(token.split('.').count(), 3, "a JWT");
    home.refused(&token);
    assert_ne!(home.token(), token);
    assert_eq!(provider.refreshes(), Refreshes { granted: 1, refused: 0, reused: 0 });
}
