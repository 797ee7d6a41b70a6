//! Real `git clone` over http from a server that refuses expired tokens.

use super::server::Server;
use super::{ASKED, Git};
use crate::machine::eventually;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use codex_credential::clock;
use std::process::Output;

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn run(git: &Git, arguments: &[&str], typed: &str) -> Output {
    let mut command = git.command(arguments);
    // A commit needs an author.
    for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
        command.env(name, "Ada");
    }
    for name in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
        command.env(name, "ada@example.com");
    }
    command.current_dir(git.state()).env("TYPED", typed).output().unwrap()
}

/// Starts a server with one repository of one commit.
pub fn server(git: &Git) -> Server {
    for arguments in [
        &["init", "--quiet", "work"][..],
        &["-C", "work", "commit", "--quiet", "--allow-empty", "--message", "first"],
        &["clone", "--quiet", "--bare", "work", "repo.git"],
    ] {
        let output = run(git, arguments, "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Server::start(git)
}

pub fn clones(git: &Git, url: &str, into: &str, typed: &str) -> bool {
    let output = run(git, &["clone", "--quiet", url, into], typed);
    output.status.success() && git.state().join(into).join(".git/HEAD").exists()
}

/// Returns what git sent for user `ada`. git first tries the user name of the URL without a password.
fn passwords(server: &Server) -> Vec<String> {
    let mut sent = server.sent();
    sent.retain(|sent| *sent != basic("ada", ""));
    sent
}

pub fn expired_token_is_erased_and_replaced(git: &Git) {
    let server = server(git);
    let of_ada = format!("protocol=http\nhost={}\npath=repo.git\nusername=ada", server.host());
    let url = server.url("ada@");
    git.approve(format!("{of_ada}\npassword=good"));
    server.accept_only(&basic("ada", "good"));
    assert!(clones(git, &url, "first", ""));
    assert_eq!(passwords(&server), [basic("ada", "good")]);
    assert_eq!(git.password(&of_ada), "good", "git reported the success, and the password is kept");

    // The server stops accepting it: it is refused once and erased, and the password that the user types is stored.
    server.accept_only(&basic("ada", "new"));
    assert!(!clones(git, &url, "second", "wrong"));
    assert_eq!(passwords(&server)[0], basic("ada", "good"));
    assert!(clones(git, &url, "second", "new"));
    assert_eq!(passwords(&server), [basic("ada", "new")]);
    assert!(clones(git, &url, "third", "wrong"));
    assert_eq!(passwords(&server), [basic("ada", "new")]);

    // It expires by its own date: it is not sent.
    git.approve(format!("{of_ada}\npassword=short\npassword_expiry_utc={}", clock::now() + 2));
    eventually(|| git.password(&of_ada) == ASKED);
    server.accept_only(&basic("ada", "newer"));
    assert!(clones(git, &url, "fourth", "newer"));
    assert_eq!(passwords(&server), [basic("ada", "newer")]);
}

pub fn bearer_token_is_answered_as_bearer(git: &Git) {
    let server = server(git);
    let host = format!("protocol=http\nhost={}\npath=repo.git", server.host());
    git.approve(format!("capability[]=authtype\n{host}\nauthtype=Bearer\ncredential=t"));
    server.accept_only("Bearer t");
    assert!(clones(git, &server.url(""), "first", ""));
    assert_eq!(server.sent(), ["Bearer t"]);
}
