use issuer::Issuer;

use crate::{Reply, get, poll, post_form, user_code};

fn submit(issuer: &Issuer, fields: &[(&str, &str)]) -> Reply {
    post_form(&(issuer.url() + "/codex/device"), fields)
}

#[test]
fn user_approves_with_a_chosen_account() {
    let issuer = Issuer::start();
    let login = user_code(&issuer);
    let page = get(&(issuer.url() + "/codex/device")).text;
    assert!(page.contains(r#"id="user_code""#) && page.contains(r#"id="continue""#));
    assert!(!page.contains("<script") && !page.contains("http"), "self-contained");

    let typed = login.member("user_code").to_lowercase().replace('-', "");
    let choice = submit(&issuer, &[("user_code", &typed)]);
    assert_eq!(choice.status, 200);
    assert!(choice.text.contains(r#"id="approve""#) && choice.text.contains(r#"id="deny""#));

    let account = &Issuer::accounts()[2];
    assert!(choice.text.contains(&account.email));
    let fields = [("user_code", typed.as_str()), ("account", &account.account_id)];
    let result = submit(&issuer, &[&fields[..], &[("decision", "approve")]].concat());
    assert!(result.text.contains("Login approved"));
    assert_eq!(poll(&issuer, &login).status, 200);
}

#[test]
fn user_denies() {
    let issuer = Issuer::start();
    let login = user_code(&issuer);
    let code = login.member("user_code");
    let result = submit(&issuer, &[("user_code", &code), ("decision", "deny")]);
    assert!(result.text.contains("Login denied"));
    assert_eq!(poll(&issuer, &login).error().1, "access_denied");
    let again = submit(&issuer, &[("user_code", &code)]);
    assert_eq!(again.status, 400, "a decision is final");
}

#[test]
fn wrong_code_is_explained_and_not_echoed() {
    let issuer = Issuer::start();
    let answer = submit(&issuer, &[("user_code", "<script>")]);
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("role=alert"));
    assert!(!answer.text.contains("<script>"));
}
