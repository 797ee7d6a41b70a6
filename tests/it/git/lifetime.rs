//! Passwords that expire, and their refresh tokens.

use super::{ASKED, Git};
use crate::machine::eventually;
use codex_credential::clock;

const ADA: &str = "protocol=https\nhost=a.example\nusername=ada";

fn of_ada(password: &str, expiry: i64) -> String {
    format!("{ADA}\npassword={password}\npassword_expiry_utc={expiry}")
}

pub fn expiry_is_answered_with_its_password(git: &Git) {
    let given = of_ada("p", 9_999_999_999);
    git.approve(&given);
    assert_eq!(git.fill(ADA), format!("{given}\n").into_bytes());
    // The same password without an expiry keeps the stored one.
    git.approve(format!("{ADA}\npassword=p"));
    assert_eq!(git.fill(ADA), format!("{given}\n").into_bytes());
    git.approve(of_ada("never", 0));
    assert_eq!(git.fill(ADA), format!("{ADA}\npassword=never\n").into_bytes());
}

pub fn expired_password_is_neither_stored_nor_answered(git: &Git) {
    let store = |input: String| {
        git.machine.command("store").write_stdin(input).assert().success().stderr("");
    };
    store(of_ada("past", clock::now() - 1));
    assert_eq!(git.password(ADA), ASKED);
    git.approve(of_ada("short", clock::now() + 2));
    eventually(|| git.password(ADA) == ASKED);
    store(of_ada("past", clock::now() - 1));
    let answer = git.machine.command("get").write_stdin(ADA).assert().success();
    answer.stdout("");
    git.approve(of_ada("new", clock::now() + 3600));
    assert_eq!(git.password(ADA), "new");
}

pub fn stored_password_that_expires_earlier_does_not_replace_the_newer_one(git: &Git) {
    git.approve(of_ada("new", 9_999_999_999));
    git.approve(of_ada("old", 9_999_999_998));
    assert_eq!(git.password(ADA), "new");
    git.approve(of_ada("newer", 9_999_999_999));
    assert_eq!(git.password(ADA), "newer");
    // The password of another user and one without expiry are not older.
    git.approve("protocol=https\nhost=a.example\nusername=grace\npassword=p\npassword_expiry_utc=9999999998");
    assert_eq!(git.password("url=https://grace@a.example"), "p");
    git.approve(format!("{ADA}\npassword=typed"));
    assert_eq!(git.password(ADA), "typed");
}

pub fn refresh_token_is_kept_until_the_password_changes(git: &Git) {
    let refresh_token = || git.filled(ADA).remove("oauth_refresh_token");
    git.approve(format!("{ADA}\npassword=p\noauth_refresh_token=r"));
    assert_eq!(refresh_token().as_deref(), Some("r"));
    git.approve(format!("{ADA}\npassword=p"));
    assert_eq!(refresh_token().as_deref(), Some("r"));
    git.approve(format!("{ADA}\npassword=p\noauth_refresh_token=s"));
    assert_eq!(refresh_token().as_deref(), Some("s"));
    git.approve(format!("{ADA}\npassword=q"));
    assert_eq!((git.password(ADA).as_str(), refresh_token()), ("q", None));
}

pub fn expired_password_answers_only_its_refresh_token(git: &Git) {
    git.approve(format!("{}\noauth_refresh_token=r", of_ada("p", clock::now() + 5)));
    eventually(|| git.password(ADA) == ASKED);
    // A store for the same host does not remove it.
    git.approve("url=https://grace:q@a.example");
    // The next helper gets a new password with the refresh token.
    let next = "!f() { test $1 = get && sed -n s/^oauth_refresh_token=/password=new-by-/p; }; f";
    assert!(git.fill_with(next, ADA).contains("username=ada\npassword=new-by-r\n"));
    assert_eq!(
        git.login("url=https://a.example"),
        ("grace".into(), "q".into()),
        "credentials with a password first"
    );
    git.reject(ADA);
    assert!(git.fill_with(next, ADA).contains(ASKED));
}
