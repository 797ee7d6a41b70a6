//! git servers that take the token only as the password of Basic authentication, such as GitHub.

use crate::gateway::{Gateway, REQUEST};
use crate::git::Git;
use crate::git::clone::{basic, clones, server};
use crate::machine::ada;
use std::fs;

/// Asks as a git that can send Bearer tokens. `more` lines are in the request.
fn answer(gateway: &Gateway, more: &str) -> String {
    let request = format!(
        "capability[]=authtype\ncapability[]=state\n{}{more}\n",
        &REQUEST[..REQUEST.len() - 1]
    );
    let mut get = gateway.machine.command("get --interactive never");
    String::from_utf8(get.write_stdin(request).output().unwrap().stdout).unwrap()
}

#[test]
fn server_without_bearer_gets_user_name_and_password() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let basic = format!("username=ada@example.com\npassword={token}\n");
    let bearer = format!("authtype=Bearer\ncredential={token}\nephemeral=1\n");
    for (schemes, expected) in [
        ("", &bearer),
        ("wwwauth[]=Bearer realm=\"a\"\n", &bearer),
        ("wwwauth[]=Basic realm=\"a\"\nwwwauth[]=Bearer\n", &bearer),
        ("wwwauth[]=Basic realm=\"GitHub\"\n", &basic),
        ("wwwauth[]=Negotiate\nwwwauth[]=basic realm=\"a\"\n", &basic),
    ] {
        let answer = answer(&gateway, schemes);
        assert!(answer.contains(expected), "{schemes}: {answer}");
        assert_eq!(answer.contains("authtype"), expected == &bearer, "{answer}");
    }
}

#[test]
fn user_name_for_git_is_answered_and_selects_no_account() {
    let gateway = Gateway::with("git_username = \"x-access-token\"", |_| {});
    let token = gateway.sign_in();
    let expected = format!("username=x-access-token\npassword={token}\n");
    for lines in [
        "",
        "username=x-access-token\n",
        "wwwauth[]=Bearer\n",
        "wwwauth[]=Basic\nusername=x-access-token\n",
    ] {
        let answer = answer(&gateway, lines);
        assert!(answer.contains(&expected) && !answer.contains("authtype"), "{lines}: {answer}");
    }
    // Other names still select an account.
    let named = answer(&gateway, "username=ada@example.com\n");
    assert!(named.contains(&format!("username=ada@example.com\npassword={token}\n")), "{named}");
    assert_eq!(answer(&gateway, "username=grace\n"), "");
    let erase =
        format!("{}username=x-access-token\npassword={token}\n\n", &REQUEST[..REQUEST.len() - 1]);
    gateway.machine.command("erase").write_stdin(erase).assert().success();
    assert_ne!(gateway.token(), token, "the rejected token was renewed");
}

#[test]
fn user_name_for_git_of_another_host_is_left_alone() {
    let gateway = Gateway::with("git_username = \"x-access-token\"", |_| {});
    gateway.sign_in();
    let host = "protocol=https\nhost=other.example\n";
    let stored = format!("{host}username=x-access-token\npassword=p\n\n");
    gateway.machine.command("store --profile company").write_stdin(stored).assert().success();
    let request = format!("{host}username=x-access-token\n\n");
    let answer = gateway.command("get").write_stdin(request).output().unwrap().stdout;
    assert_eq!(String::from_utf8(answer).unwrap(), "username=x-access-token\npassword=p\n");
}

#[test]
fn real_git_clones_from_a_server_that_takes_basic_only() {
    for (user, name) in [("", "x-access-token"), ("x-access-token@", "x-access-token"), ("", "")] {
        let gateway = Gateway::new();
        let token = gateway.sign_in();
        let config = fs::read_to_string(gateway.config()).unwrap();
        let file = gateway.config();
        let git = Git::of(gateway.machine, gateway.home);
        let server = server(&git);
        let mut config = config.replace("gateway.example", server.host());
        if !name.is_empty() {
            config = format!("{config}git_username = \"{name}\"\n");
        }
        fs::write(file, config).unwrap();
        let name = if name.is_empty() { ada().email } else { name.to_owned() };
        server.accept_only(&basic(&name, &token));
        assert!(clones(&git, &server.url(user), "first", "unused"), "{user}: {:?}", server.sent());
        assert_eq!(server.sent().last(), Some(&basic(&name, &token)));
    }
}
