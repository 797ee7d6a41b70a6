//! `logout` revokes the login at the provider.

use crate::home::{Home, outcome};
use crate::provider::{Kind, Provider};
use std::path::PathBuf;

pub fn logout_revokes_the_token(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    assert!(provider.is_active(&token));
    let output = home.run("logout");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!provider.is_active(&token));
    assert!(provider.revocations() >= 1);
    assert_eq!(home.files_with(&token), Vec::<PathBuf>::new());
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
}

/// Glewlwyd lets only confidential clients revoke.
pub fn logout_of_a_client_that_cannot_revoke_removes_the_login_and_says_so(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    let output = home.run("logout");
    assert!(!output.status.success());
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(says.contains("removed here, but not ended at the server"), "{says}");
    assert_eq!(home.files_with(&token), Vec::<PathBuf>::new());
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
}
