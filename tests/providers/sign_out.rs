//! `logout` revokes the login at the provider.

use crate::home::{Home, outcome};
use crate::provider::{Kind, Provider};

pub fn logout_revokes_the_token(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    assert!(provider.is_active(&token));
    let output = home.run("logout");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!provider.is_active(&token));
    assert!(provider.revocations() >= 1);
    assert_eq!(home.files_with(&token), Vec::<std::path::PathBuf>::new());
    assert_eq!(outcome(&home.run("get --interactive never")), (3, "login_required".into()));
}
