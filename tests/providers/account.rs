//! The account pin, with the wrong person at the browser.

use crate::home::{Home, invitation, outcome};
use crate::provider::{Kind, Provider};

const ADA: &str = "account = \"ada@example.com\"\n";

pub fn an_approval_in_the_wrong_account_stores_nothing_and_is_revoked(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with(&provider, ADA);
    let mut login = home.start_login("");
    let code = login.event("code");
    provider.decide(invitation(&code), "bob", "approve");
    login.event("failed");
    let (status, error) = login.end();
    assert_eq!((status, &error["kind"]), (4, &"wrong_account".into()), "{error}");
    let said = error.to_string();
    for part in ["bob@example.com", "ada@example.com", "private window"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let granted = provider.granted();
    assert_eq!(granted.len(), 1);
    assert!(!provider.is_active(&granted[0]), "what was granted is revoked");
    assert_eq!(home.holding(&granted[0]), Vec::<std::path::PathBuf>::new());
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
}

pub fn an_approval_in_the_right_account_is_stored(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with(&provider, ADA);
    let token = home.sign_in(&provider, "ada");
    home.refused(&token);
    let renewed = home.token();
    assert!(provider.is_active(&renewed));
    assert_eq!(provider.revocations(), 0);
}
