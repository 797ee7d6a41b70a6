//! Each system call that can fail of it fails with one error, once, in every process.

use crate::many::{chosen, each};
use crate::report::report;
use crate::scene::{Act, Left, Scene};
use crate::strace::{Call, Fault, Who};

const ACTS: [Act; 8] = [
    Act::Refresh,
    Act::DeviceLogin,
    Act::Store,
    Act::EraseToken,
    Act::EraseLogin,
    Act::Logout,
    Act::MoveOut,
    Act::MoveIn,
];

pub fn no_space() {
    fails(
        "ENOSPC",
        "errors::no_space",
        &["openat", "write", "fsync", "fdatasync", "mkdir", "renameat"],
    );
}

pub fn broken_disk() {
    let calls =
        ["openat", "read", "write", "fsync", "fdatasync", "renameat", "unlink", "getdents64"];
    fails("EIO", "errors::broken_disk", &calls);
}

pub fn read_only() {
    fails("EROFS", "errors::read_only", &["openat", "mkdir", "renameat", "unlink", "fchmod"]);
}

pub fn too_many_files() {
    let calls =
        ["openat", "socket", "pipe2", "epoll_create1", "eventfd2", "inotify_init1", "fcntl"];
    fails("EMFILE", "errors::too_many_files", &calls);
}

pub fn no_locks() {
    fails("ENOLCK", "errors::no_locks", &["flock"]);
}

/// Eight times running, so that neither the answer's note nor the login may be written at first.
pub fn broken_for_a_moment() {
    let calls = ["openat", "write", "fsync", "fdatasync", "renameat", "unlink"];
    let fault = Fault::Errors("EIO");
    play("eight system calls running fail with EIO", "errors::broken_for_a_moment", fault, &calls);
}

fn fails(error: &'static str, test: &'static str, names: &[&str]) {
    play(&format!("a system call fails with {error}"), test, Fault::Error(error), names);
}

fn play(attack: &str, test: &'static str, fault: Fault, names: &[&str]) {
    let tries: Vec<(Act, Call)> = ACTS
        .into_iter()
        .flat_map(|act| {
            let mut calls = Scene::calls(act, Who::All);
            calls.retain(|call| names.contains(&call.name.as_str()));
            chosen(calls, 5).into_iter().map(move |call| (act, call))
        })
        .collect();
    println!("{} tries", tries.len());
    let results = each(&tries, |(act, call)| {
        // An error kills nobody: what has arrived is kept.
        match Scene::play(*act, Who::All, call, fault) {
            Ok(Left::CutOff) => Err(format!("{act:?}, {call:?}: an answer was lost")),
            left => left,
        }
    });
    report(attack, test, results);
}
