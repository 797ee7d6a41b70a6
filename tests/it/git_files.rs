//! Other hosts' credentials in files.

use crate::git::{self, ASKED, Git};
use crate::machine::{files, lock};
use codex_credential::clock::Deadline;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

macro_rules! tests_with_files {
    ($($module:ident::$case:ident),* $(,)?) => {
        $(#[test]
        fn $case() {
            git::$module::$case(&Git::new("file"));
        })*
    };
}

for_each_case!(tests_with_files);

const A: &str = "protocol=https\nhost=a.example\nusername=ada\n";

fn documents(git: &Git) -> Vec<PathBuf> {
    files(git.state()).into_iter().filter(|file| !file.ends_with("lock")).collect()
}

#[test]
fn credential_files_are_private_and_removed_by_erase() {
    let git = Git::new("file");
    git.approve("url=https://ada:p@a.example");
    let document = documents(&git).pop().unwrap();
    let folders = document.ancestors().skip(1).take(3);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(folders.map(mode).all(|mode| mode == 0o700));
    assert!(files(git.state()).iter().all(|file| mode(file) == 0o600));
    git.reject("url=https://ada@a.example");
    assert!(documents(&git).is_empty());
}

#[test]
fn store_removes_temporary_files_of_killed_processes() {
    let git = Git::new("file");
    git.approve("url=https://ada:p@a.example");
    let document = documents(&git).pop().unwrap();
    let left = document.with_file_name(".codex-credential-tmp-left");
    fs::write(&left, "a secret").unwrap();
    git.approve("url=https://ada:q@a.example");
    assert!(!left.exists());
}

#[test]
fn damaged_credential_file_is_reported_and_left_unchanged() {
    let git = Git::new("file");
    git.approve("url=https://ada:p@a.example");
    let document = documents(&git).pop().unwrap();
    for content in ["", "{\"credentials\":", "[]", "{\"protocol\":\"https\",\"host\":7}"] {
        fs::write(&document, content).unwrap();
        for operation in ["get", "store", "erase"] {
            let input = format!("{A}password=hunter2\n");
            let output = git.machine.command(operation).write_stdin(input).assert().code(1);
            let named = contains(document.to_str().unwrap()).and(contains("hint: remove it"));
            output.stdout("").stderr(named.and(contains("hunter2").not()));
        }
        assert_eq!(fs::read_to_string(&document).unwrap(), content);
    }
}

#[test]
fn held_lock_delays_store_until_the_deadline_and_get_still_answers() {
    let git = Git::new("file");
    git.approve("url=https://ada:p@a.example");
    let held = lock(&documents(&git).pop().unwrap().with_file_name("lock"));
    for operation in ["store", "erase"] {
        let late = Deadline::after(Duration::from_millis(1300));
        let mut command = git.machine.command(&format!("{operation} --wait 300ms"));
        let secret = if operation == "store" { "password=q\n" } else { "" };
        let output = command.write_stdin(format!("{A}{secret}")).assert().code(1);
        output.stderr(contains("lock").and(contains("hint: ")));
        assert!(!late.is_over());
    }
    assert_eq!(git.password(A), "p");
    // A store of the same password has nothing to write, so it does not wait for the lock.
    git.machine
        .command("store --wait 1s")
        .write_stdin(format!("{A}password=p\n"))
        .assert()
        .success();
    drop(held);
    git.approve("url=https://ada:q@a.example");
    assert_eq!(git.password(A), "q");
}

#[test]
fn host_with_too_many_credentials_is_refused() {
    let git = Git::new("file");
    let long = "x".repeat(60_000);
    let store = |number: usize| {
        let input = format!("{A}path={number}\npassword={long}\noauth_refresh_token={long}\n");
        git.machine.command("store").write_stdin(input).assert()
    };
    let full = (0..100).find(|&number| store(number).get_output().status.code() != Some(0));
    let full = full.expect("there is a limit");
    store(full).code(1).stderr(contains("larger than 4 MiB").and(contains("xxx").not()));
    assert_eq!(git.password(format!("{A}path={}", full - 1)), long);
}

#[test]
fn storage_none_stores_nothing() {
    let git = Git::new("none");
    git.approve("url=https://ada:p@a.example");
    assert_eq!(git.password(A), ASKED);
    git.reject("url=https://ada@a.example");
    assert!(files(git.state()).is_empty());
    let mut wrong = git.machine.command("get");
    let output = wrong.env("CODEX_CREDENTIAL_GIT_STORAGE", "cloud").write_stdin(A).assert().code(2);
    output.stderr(contains("cloud").and(contains("keyring")));
}

#[test]
fn other_hosts_credentials_are_answered_only_in_the_git_format() {
    let git = Git::new("file");
    git.approve("url=https://ada:p@a.example");
    for format in ["token", "json", "header", "env"] {
        let mut get = git.machine.command(&format!("get --format {format}"));
        get.write_stdin(A).assert().success().stdout("");
    }
    let mut get = git.machine.command("get");
    get.write_stdin(r#"{"uri":"https://a.example/x"}"#).assert().success().stdout("{}\n");
}

#[test]
fn credentials_of_the_profiles_hosts_are_not_stored() {
    let git = Git::new("file");
    let tokens = git.machine.sign_in(3600);
    let ours = "protocol=https\nhost=chatgpt.com\n";
    assert_eq!(git.password(ours), tokens.access_token);
    git.machine.command("erase").write_stdin(ours).assert().success();
    assert!(files(git.state()).iter().all(|file| file.ends_with("audit.log")));
    // Without an API key, its host is another host.
    git.approve("url=https://ada:p@api.openai.com");
    assert_eq!(git.password("url=https://api.openai.com"), "p");
}
