//! One system call fails with one error, once in every process that makes it.

use crate::report::report;
use crate::scene::{Act, Outcome, Scene};
use crate::strace::{Call, Fault, Who};
use crate::tries::{chosen, each};

const ACTS: [Act; 8] = [
    Act::Refresh,
    Act::SignIn,
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

pub fn io_error() {
    let calls =
        ["openat", "read", "write", "fsync", "fdatasync", "renameat", "unlink", "getdents64"];
    fails("EIO", "errors::io_error", &calls);
}

pub fn read_only_file_system() {
    fails(
        "EROFS",
        "errors::read_only_file_system",
        &["openat", "mkdir", "renameat", "unlink", "fchmod"],
    );
}

pub fn too_many_open_files() {
    let calls =
        ["openat", "socket", "pipe2", "epoll_create1", "eventfd2", "inotify_init1", "fcntl"];
    fails("EMFILE", "errors::too_many_open_files", &calls);
}

pub fn locks_unsupported() {
    fails("ENOLCK", "errors::locks_unsupported", &["flock"]);
}

/// Eight errors in a row, so that neither the journal nor the login can be written at first.
pub fn repeated_io_errors() {
    let calls = ["openat", "write", "fsync", "fdatasync", "renameat", "unlink"];
    let fault = Fault::Errors("EIO");
    play("eight system calls in a row fail with EIO", "errors::repeated_io_errors", fault, &calls);
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
        // No process is killed, so an answer that has arrived must be kept.
        match Scene::play(*act, Who::All, call, fault) {
            Ok(Outcome::AnswerLost) => Err(format!("{act:?}, {call:?}: an answer was lost")),
            left => left,
        }
    });
    report(attack, test, results);
}
