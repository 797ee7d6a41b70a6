//! Other hosts' credentials in the keyring: every case of tests/it/git, and keyrings that are not available.

use crate::git::{self, Git};
use crate::keyring::Keyring;
use crate::machine::{eventually, files};
use codex_credential::clock::Deadline;
use libtest_mimic::Trial;
use predicates::prelude::*;
use predicates::str::contains;
use std::cell::RefCell;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

const A: &str = "protocol=https\nhost=a.example\nusername=ada\n";

fn git() -> (Git, Keyring) {
    let mut git = Git::new("keyring");
    let keyring = Keyring::unlocked(&mut git.machine);
    (git, keyring)
}

macro_rules! trials_with_keyring {
    ($($module:ident::$case:ident),* $(,)?) => {
        vec![$(Trial::test(concat!("git::", stringify!($case)), || {
            let (git, _keyring) = git();
            git::$module::$case(&git);
            Ok(())
        })),*]
    };
}

pub fn cases() -> Vec<Trial> {
    for_each_case!(trials_with_keyring)
}

pub fn secrets_are_in_no_file() {
    let (git, keyring) = git();
    git.approve(format!("{A}password=hunter2\noauth_refresh_token=r"));
    let item = keyring.secret("").unwrap();
    assert!(item.contains(r#""password":"aHVudGVyMg==""#), "{item}");
    assert_eq!(git.password(A), "hunter2");
    let files = files(git.state());
    assert!(files.iter().all(|file| file.to_string_lossy().ends_with("lock")), "{files:?}");
    git.reject(A);
    assert_eq!(keyring.secret(""), None);
}

/// Asserts that each operation fails in time with exit code 1 and a hint, and that git goes on to the next helper.
fn all_fail(git: &Git) {
    let operations = [("get", ""), ("store", "password=q\n"), ("erase", "")];
    for (wait, seconds) in [("--wait 1s", 1), ("", 3)] {
        for (operation, secret) in operations {
            let late = Deadline::after(Duration::from_secs(seconds + 1));
            let mut command = git.machine.command(&format!("{operation} {wait}"));
            let output = command.write_stdin(format!("{A}{secret}")).assert().code(1);
            assert!(!late.is_over(), "{operation} {wait}");
            let named = contains("keyring item").and(contains("hint: unlock the keyring"));
            output.stdout("").stderr(named.and(contains("choose another storage")));
        }
    }
    let next = "!f() { test $1 = get && echo password=next; }; f";
    assert!(git.fill_with(next, A).contains("password=next\n"));
}

pub fn locked_keyring_is_an_error_not_an_empty_answer() {
    let (git, mut keyring) = git();
    git.approve(format!("{A}password=p"));
    keyring.lock();
    all_fail(&git);
    keyring.unlock();
    assert_eq!(git.password(A), "p");
}

pub fn absent_keyring_is_an_error_not_an_empty_answer() {
    let (mut git, _keyring) = git();
    git.approve(format!("{A}password=p"));
    git.machine.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    all_fail(&git);
}

pub fn hung_keyring_fails_within_the_wait() {
    let (git, keyring) = git();
    git.approve(format!("{A}password=p"));
    keyring.hang();
    all_fail(&git);
    keyring.wake();
    assert_eq!(git.password(A), "p");
}

/// After a successful `store` the new password is found, after a failed one the old or the new password.
pub fn keyring_killed_during_stores_loses_no_credential() {
    let (git, mut keyring) = git();
    let user = |number| format!("protocol=https\nhost=a.example\nusername=u{number}\n");
    for number in 0..16 {
        git.approve(format!("{}password=old", user(number)));
    }
    let start = |number| {
        let mut store = git.machine.std_command("store --wait 20s");
        let mut store = store.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let input = format!("{}password=new\n", user(number));
        store.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        store
    };
    let stores = RefCell::new((0..16).map(start).collect::<Vec<_>>());
    let is_done = |store: &mut Child| store.try_wait().unwrap().is_some();
    eventually(|| stores.borrow_mut().iter_mut().any(is_done));
    keyring.kill();
    let stores = stores.into_inner().into_iter();
    let outputs: Vec<_> = stores.map(|store| store.wait_with_output().unwrap()).collect();
    for code in [0, 1] {
        let has_code = outputs.iter().any(|output| output.status.code() == Some(code));
        assert!(has_code, "the keyring was killed too early or too late: {outputs:?}");
    }
    keyring.unlock();
    for (output, number) in outputs.iter().zip(0..) {
        let found = git.password(user(number));
        let expected = if output.status.success() { &["new"][..] } else { &["old", "new"] };
        assert!(expected.contains(&found.as_str()), "{found}: {output:?}");
    }
}

/// The login is in a file, so the profile's hosts need no keyring.
pub fn profiles_own_host_is_answered_while_the_keyring_hangs() {
    let (git, keyring) = git();
    let tokens = git.machine.sign_in(3600);
    keyring.hang();
    assert_eq!(git.password("protocol=https\nhost=chatgpt.com"), tokens.access_token);
}
