//! `configure docker`: the entry in Docker's configuration and the link that Docker runs.

use crate::configure::{ODD, User};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const CONFIG: &str = ".docker/config.json";

fn link(user: &User) -> PathBuf {
    user.program.with_file_name("docker-credential-codex-credential")
}

#[test]
fn docker_gets_the_token_from_the_link() {
    for folder in ["bin", ODD] {
        let user = User::with_program_in(folder);
        let tokens = user.machine.sign_in(3600);
        user.run("configure docker").assert().success().stderr(contains("is on its PATH"));
        let config: Value = serde_json::from_str(&user.text(CONFIG)).unwrap();
        let suffix = config["credHelpers"]["chatgpt.com"].as_str().unwrap();
        let helper = user.program.with_file_name(format!("docker-credential-{suffix}"));
        let answer = user.answer(&helper, &["get"], "chatgpt.com\n");
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(answer["Secret"], tokens.access_token);
        assert_eq!(answer["ServerURL"], "chatgpt.com");
    }
}

#[test]
fn link_is_made_and_removed_with_the_entry() {
    let user = User::new();
    user.run("configure docker --print")
        .assert()
        .success()
        .stderr(contains(" -> codex-credential"));
    assert!(!link(&user).is_symlink() && !user.file(CONFIG).exists());
    user.run("configure docker").assert().success();
    assert_eq!(fs::read_link(link(&user)).unwrap(), Path::new("codex-credential"));
    // A missing link is made again, and a link that the user made is replaced.
    fs::remove_file(link(&user)).unwrap();
    user.run("configure docker").assert().success();
    fs::remove_file(link(&user)).unwrap();
    symlink(&user.program, link(&user)).unwrap();
    user.run("configure docker").assert().success();
    assert_eq!(fs::read_link(link(&user)).unwrap(), Path::new("codex-credential"));
    user.run("configure docker").assert().success().stderr(contains("already configured"));
    user.run("unconfigure docker --print").assert().success();
    assert!(link(&user).is_symlink() && user.file(CONFIG).exists());
    user.run("unconfigure docker").assert().success();
    assert!(!link(&user).is_symlink() && !user.file(CONFIG).exists());
}

#[test]
fn link_is_kept_while_another_entry_needs_it() {
    let user = User::new();
    for text in [
        "{\"credHelpers\": {\"b.example\": \"codex-credential\"}}",
        "{\"credsStore\": \"codex-credential\"}",
    ] {
        user.write(CONFIG, text);
        user.run("configure docker").assert().success();
        user.run("unconfigure docker").assert().success();
        assert_eq!(user.text(CONFIG), text);
        assert!(link(&user).is_symlink());
    }
}

#[test]
fn other_program_with_the_name_of_the_link_is_left_alone() {
    let user = User::new();
    let link = link(&user);
    let forms: [&dyn Fn(); 2] =
        [&|| fs::write(&link, "#!/bin/sh\n").unwrap(), &|| symlink("/bin/true", &link).unwrap()];
    for make in forms {
        make();
        let refused = user.run("configure docker").assert().code(2);
        refused.stderr(contains(link.to_str().unwrap()).and(contains("--force")));
        assert!(!user.file(CONFIG).exists());
        user.run("unconfigure docker").assert().success().stderr(contains("not configured"));
        assert!(link.symlink_metadata().is_ok());
        user.run("configure docker --force").assert().success();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("codex-credential"));
        user.run("unconfigure docker").assert().success();
    }
}

#[test]
fn failed_link_changes_nothing_and_hints_at_sudo() {
    let user = User::new();
    let bin = user.program.parent().unwrap();
    fs::set_permissions(bin, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(bin.join("try"), "").is_ok() {
        fs::remove_file(bin.join("try")).unwrap();
        // Root can write to any folder, but cannot replace a folder with a link.
        fs::set_permissions(bin, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(link(&user)).unwrap();
        user.run("configure docker --force").assert().code(1).stderr(contains("sudo ln -s"));
    } else {
        user.run("configure docker").assert().code(1).stderr(contains("sudo ln -s"));
        fs::set_permissions(bin, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(!user.file(CONFIG).exists());
}
