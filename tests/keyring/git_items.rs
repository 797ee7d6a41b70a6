//! git's credentials in the keyring: every case that holds for files, and a keyring that is in trouble.

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

macro_rules! on_a_keyring {
    ($($module:ident::$case:ident),* $(,)?) => {
        vec![$(Trial::test(concat!("git::", stringify!($case)), || {
            let (git, _keyring) = git();
            git::$module::$case(&git);
            Ok(())
        })),*]
    };
}

pub fn cases() -> Vec<Trial> {
    for_each_case!(on_a_keyring)
}

pub fn the_secrets_are_in_no_file() {
    let (git, keyring) = git();
    git.approve(format!("{A}password=hunter2\noauth_refresh_token=r"));
    let item = keyring.secret("git|https://a.example").unwrap();
    assert!(item.contains(r#""password":"hunter2""#), "{item}");
    assert_eq!(git.password(A), "hunter2");
    let files = files(git.state());
    assert!(files.iter().all(|file| file.ends_with("lock")), "{files:?}");
    git.reject(A);
    assert_eq!(keyring.secret("git|https://a.example"), None);
}

/// Each operation ends in time with exit code 1 and the way out; nothing is answered, and nothing changed.
fn all_fail(git: &Git) {
    let operations = [("get", ""), ("store", "password=q\n"), ("erase", "")];
    for (wait, patience) in [("--wait 1s", 1), ("", 3)] {
        for (operation, secret) in operations {
            let late = Deadline::after(Duration::from_secs(patience + 1));
            let mut command = git.machine.command(&format!("{operation} {wait}"));
            let output = command.write_stdin(format!("{A}{secret}")).assert().code(1);
            assert!(!late.is_over(), "{operation} {wait}");
            let named = contains("keyring item").and(contains("hint: unlock the keyring"));
            output.stdout("").stderr(named.and(contains("choose another storage")));
        }
    }
    // git goes on without it: to the next helper, here to the person.
    let next = "!f() { test $1 = get && echo password=next; }; f";
    assert!(git.fill_with(next, A).contains("password=next\n"));
}

pub fn locked_is_not_unknown() {
    let (git, mut keyring) = git();
    git.approve(format!("{A}password=p"));
    keyring.lock();
    all_fail(&git);
    keyring.unlock();
    assert_eq!(git.password(A), "p");
}

pub fn absent_is_not_unknown() {
    let (mut git, _keyring) = git();
    git.approve(format!("{A}password=p"));
    git.machine.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    all_fail(&git);
}

pub fn one_that_never_answers_is_given_up_in_time() {
    let (git, keyring) = git();
    git.approve(format!("{A}password=p"));
    keyring.hang();
    all_fail(&git);
    keyring.wake();
    assert_eq!(git.password(A), "p");
}

/// Whoever was told that it is stored finds it; whoever was not finds the old one or the new one, whole.
pub fn one_that_is_killed_in_the_middle_loses_nothing() {
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
    let told: Vec<_> = stores.map(|store| store.wait_with_output().unwrap()).collect();
    for code in [0, 1] {
        let is_among = told.iter().any(|output| output.status.code() == Some(code));
        assert!(is_among, "it was killed in the middle: {told:?}");
    }
    keyring.unlock();
    for (output, number) in told.iter().zip(0..) {
        let found = git.password(user(number));
        let is_there = if output.status.success() { &["new"][..] } else { &["old", "new"] };
        assert!(is_there.contains(&found.as_str()), "{found}: {output:?}");
    }
}

/// The hosts that are ours need no keyring.
pub fn our_own_host_is_answered_while_it_hangs() {
    let (git, keyring) = git();
    let tokens = git.machine.sign_in(3600);
    keyring.hang();
    assert_eq!(git.password("protocol=https\nhost=chatgpt.com"), tokens.access_token);
}
