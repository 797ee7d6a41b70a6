//! A real `git clone` over http from a server that refuses expired tokens.

use super::server::Server;
use super::{ASKED, Git};
use crate::machine::eventually;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use codex_credential::clock;
use std::process::Output;

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn run(git: &Git, arguments: &[&str], person_says: &str) -> Output {
    let mut command = git.command(arguments);
    // A commit has an author.
    for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
        command.env(name, "Ada");
    }
    for name in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
        command.env(name, "ada@example.com");
    }
    command.current_dir(git.state()).env("PERSON_SAYS", person_says).output().unwrap()
}

/// A server with one repository, which has one commit.
fn server(git: &Git) -> Server {
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

fn clones(git: &Git, url: &str, into: &str, person_says: &str) -> bool {
    let output = run(git, &["clone", "--quiet", url, into], person_says);
    output.status.success() && git.state().join(into).join(".git/HEAD").exists()
}

/// What came of user Ada. git first tries the user name of the URL alone.
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
    server.open_for(&basic("ada", "good"));
    assert!(clones(git, &url, "first", ""));
    assert_eq!(passwords(&server), [basic("ada", "good")]);
    assert_eq!(git.password(&of_ada), "good", "git reported the success, and it stayed");

    // It expires at the server: refused once, erased, and what the person then says is kept.
    server.open_for(&basic("ada", "new"));
    assert!(!clones(git, &url, "second", "wrong"));
    assert_eq!(passwords(&server)[0], basic("ada", "good"));
    assert!(clones(git, &url, "second", "new"));
    assert_eq!(passwords(&server), [basic("ada", "new")]);
    assert!(clones(git, &url, "third", "wrong"));
    assert_eq!(passwords(&server), [basic("ada", "new")]);

    // It expires by its own date: not even sent.
    git.approve(format!("{of_ada}\npassword=short\npassword_expiry_utc={}", clock::now() + 2));
    eventually(|| git.password(&of_ada) == ASKED);
    server.open_for(&basic("ada", "newer"));
    assert!(clones(git, &url, "fourth", "newer"));
    assert_eq!(passwords(&server), [basic("ada", "newer")]);
}

pub fn bearer_token_is_answered_as_bearer(git: &Git) {
    let server = server(git);
    let host = format!("protocol=http\nhost={}\npath=repo.git", server.host());
    git.approve(format!("capability[]=authtype\n{host}\nauthtype=Bearer\ncredential=t"));
    server.open_for("Bearer t");
    assert!(clones(git, &server.url(""), "first", ""));
    assert_eq!(server.sent(), ["Bearer t"]);
}
