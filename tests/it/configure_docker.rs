//! `configure docker`: the entry for Docker, and the link that it calls.

use crate::configure::{ODD, Person};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const CONFIG: &str = ".docker/config.json";

fn link(person: &Person) -> PathBuf {
    person.program.with_file_name("docker-credential-codex-credential")
}

#[test]
fn the_link_answers_docker() {
    for folder in ["bin", ODD] {
        let person = Person::with_program_in(folder);
        let tokens = person.machine.sign_in(3600);
        person.run("configure docker").assert().success().stderr(contains("on its PATH"));
        let config: Value = serde_json::from_str(&person.text(CONFIG)).unwrap();
        let suffix = config["credHelpers"]["chatgpt.com"].as_str().unwrap();
        let helper = person.program.with_file_name(format!("docker-credential-{suffix}"));
        let answer = person.answer(&helper, &["get"], "chatgpt.com\n");
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(answer["Secret"], tokens.access_token);
        assert_eq!(answer["ServerURL"], "chatgpt.com");
    }
}

#[test]
fn the_link_comes_and_goes_with_the_entry() {
    let person = Person::new();
    person
        .run("configure docker --print")
        .assert()
        .success()
        .stderr(contains(" -> codex-credential"));
    assert!(!link(&person).is_symlink() && !person.file(CONFIG).exists());
    person.run("configure docker").assert().success();
    assert_eq!(fs::read_link(link(&person)).unwrap(), Path::new("codex-credential"));
    // One that is gone is made again, and one that was made by hand is taken for ours.
    fs::remove_file(link(&person)).unwrap();
    person.run("configure docker").assert().success();
    fs::remove_file(link(&person)).unwrap();
    symlink(&person.program, link(&person)).unwrap();
    person.run("configure docker").assert().success();
    assert_eq!(fs::read_link(link(&person)).unwrap(), Path::new("codex-credential"));
    person.run("configure docker").assert().success().stderr(contains("already configured"));
    person.run("unconfigure docker --print").assert().success();
    assert!(link(&person).is_symlink() && person.file(CONFIG).exists());
    person.run("unconfigure docker").assert().success();
    assert!(!link(&person).is_symlink() && !person.file(CONFIG).exists());
}

#[test]
fn the_link_stays_as_long_as_another_entry_needs_it() {
    let person = Person::new();
    for text in [
        "{\"credHelpers\": {\"b.example\": \"codex-credential\"}}",
        "{\"credsStore\": \"codex-credential\"}",
    ] {
        person.write(CONFIG, text);
        person.run("configure docker").assert().success();
        person.run("unconfigure docker").assert().success();
        assert_eq!(person.text(CONFIG), text);
        assert!(link(&person).is_symlink());
    }
}

#[test]
fn another_program_of_that_name_is_left_alone() {
    let person = Person::new();
    let link = link(&person);
    let forms: [&dyn Fn(); 2] =
        [&|| fs::write(&link, "#!/bin/sh\n").unwrap(), &|| symlink("/bin/true", &link).unwrap()];
    for make in forms {
        make();
        let refused = person.run("configure docker").assert().code(2);
        refused.stderr(contains(link.to_str().unwrap()).and(contains("--force")));
        assert!(!person.file(CONFIG).exists());
        person.run("unconfigure docker").assert().success().stderr(contains("not configured"));
        assert!(link.symlink_metadata().is_ok());
        person.run("configure docker --force").assert().success();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("codex-credential"));
        person.run("unconfigure docker").assert().success();
    }
}

/// Root writes everywhere.
#[test]
fn a_link_that_cannot_be_made_changes_nothing_and_names_the_command() {
    let person = Person::new();
    let bin = person.program.parent().unwrap();
    fs::set_permissions(bin, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(bin.join("try"), "").is_ok() {
        fs::remove_file(bin.join("try")).unwrap();
        // A folder stands where the link would.
        fs::set_permissions(bin, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(link(&person)).unwrap();
        person.run("configure docker --force").assert().code(1).stderr(contains("sudo ln -s"));
    } else {
        person.run("configure docker").assert().code(1).stderr(contains("sudo ln -s"));
        fs::set_permissions(bin, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(!person.file(CONFIG).exists());
}
