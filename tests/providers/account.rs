//! A profile with `account`: a sign-in with another account is rejected.

use crate::home::{Home, invitation, outcome};
use crate::provider::{Kind, Provider};

const ADA: &str = "account = \"ada@example.com\"\n";

pub fn approval_with_the_wrong_account_is_revoked_and_not_stored(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with(&provider, ADA);
    let mut login = home.start_login("");
    let code = login.event("code");
    provider.decide(invitation(&code), "bob", "approve");
    login.event("failed");
    let (status, error) = login.end();
    assert_eq!((status, &error["kind"]), (4, &"wrong_account".into()), "{error}");
    let text = error.to_string();
    for part in ["bob@example.com", "ada@example.com", "private window"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let granted = provider.granted();
    assert_eq!(granted.len(), 1);
    assert!(!provider.is_active(&granted[0]), "the token is revoked");
    assert_eq!(home.files_with(&granted[0]), Vec::<std::path::PathBuf>::new());
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
}

pub fn approval_with_the_right_account_is_stored(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::with(&provider, ADA);
    let token = home.sign_in(&provider, "ada");
    home.reject(&token);
    let renewed = home.token();
    assert!(provider.is_active(&renewed));
    assert_eq!(provider.revocations(), 0);
}
