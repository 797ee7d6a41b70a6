//! The path of the program in what `configure` writes.

use crate::configure::{CASES, Person, install, search_path};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A person whose program lies in a folder of its release, with a link to it on the PATH.
struct Packaged {
    person: Person,
    /// The folder of the link.
    bin: PathBuf,
}

impl Packaged {
    fn new() -> Self {
        let person = Person::with_program_in("release-1");
        let bin = person.machine.path("bin");
        fs::create_dir(&bin).unwrap();
        symlink("../release-1/codex-credential", bin.join("codex-credential")).unwrap();
        Self { person, bin }
    }

    fn entry(&self) -> PathBuf {
        self.bin.join("codex-credential")
    }

    /// `program` with `folders` before the folders of the tester's PATH.
    fn run(&self, program: &Path, folders: &[&Path], line: &str) -> Command {
        let others = search_path();
        let path = folders.iter().map(PathBuf::from).chain(std::env::split_paths(&others));
        let mut command = self.person.run(line);
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut with_path = Command::new(program);
        with_path.env_clear().env("HOME", &self.person.home).args(arguments);
        command = with_path;
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }
}

fn writes(text: &str, path: &Path) -> bool {
    text.contains(path.to_str().unwrap())
}

#[test]
fn the_entry_on_the_path_is_written_and_survives_an_upgrade() {
    let packaged = Packaged::new();
    let (person, entry) = (&packaged.person, packaged.entry());
    let tokens = person.machine.sign_in(3600);
    let empty = person.machine.path("empty");
    fs::create_dir(&empty).unwrap();
    // Another program of that name goes before it, and is not this one.
    let other = person.machine.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("codex-credential"), "").unwrap();
    let folders = [Path::new("relative"), &empty, &other, &packaged.bin];
    for (tool, name, _) in CASES.iter().filter(|(tool, ..)| *tool != "docker") {
        // Started by either path.
        for program in [&entry, &person.program] {
            packaged.run(program, &folders, &format!("configure {tool}")).assert().success();
            let text = person.text(name);
            assert!(writes(&text, &entry) && !writes(&text, &person.program), "{tool}: {text}");
        }
        let again = packaged.run(&entry, &folders, &format!("configure {tool}")).assert().success();
        again.stderr(contains("already configured"));
    }
    // The upgrade.
    let next = person.machine.path("release-2");
    fs::create_dir(&next).unwrap();
    install(person.program.parent().unwrap(), &next);
    fs::remove_dir_all(person.program.parent().unwrap()).unwrap();
    fs::remove_file(&entry).unwrap();
    symlink("../release-2/codex-credential", &entry).unwrap();
    let asked = "protocol=https\nhost=chatgpt.com\n\n";
    let filled = person.answer(Path::new("git"), &["credential", "fill"], asked);
    let filled = String::from_utf8(filled.stdout).unwrap();
    assert!(filled.contains(&format!("password={}\n", tokens.access_token)), "{filled}");
    for (tool, name, _) in CASES.iter().filter(|(tool, ..)| *tool != "docker") {
        if person.file(name).exists() {
            let undo = format!("unconfigure {tool}");
            packaged.run(&entry, &folders, &undo).assert().success();
            assert!(!person.file(name).exists(), "{tool}");
        }
    }
}

#[test]
fn an_entry_with_the_programs_own_path_is_ours_and_brought_up_to_date() {
    let packaged = Packaged::new();
    let (person, entry) = (&packaged.person, packaged.entry());
    for (tool, name, texts) in CASES.iter().filter(|(tool, ..)| *tool != "docker") {
        let text = texts[0];
        person.write(name, text);
        let own = packaged.run(&person.program, &[], &format!("configure {tool}"));
        { own }.assert().success();
        assert!(writes(&person.text(name), &person.program), "{tool}");
        // Undone by who finds it on the PATH; written anew by who configures there.
        let folders = [packaged.bin.as_path()];
        packaged.run(&entry, &folders, &format!("configure {tool}")).assert().success();
        let now = person.text(name);
        assert!(writes(&now, &entry) && !writes(&now, &person.program), "{tool}: {now}");
        packaged.run(&person.program, &[], &format!("unconfigure {tool}")).assert().success();
        assert_eq!(person.text(name), text, "{tool}");
        packaged.run(&person.program, &[], &format!("configure {tool}")).assert().success();
        packaged.run(&entry, &folders, &format!("unconfigure {tool}")).assert().success();
        assert_eq!(person.text(name), text, "{tool}");
        fs::remove_file(person.file(name)).unwrap();
    }
}

#[test]
fn the_timer_runs_the_entry_on_the_path() {
    let packaged = Packaged::new();
    let folders = [packaged.bin.as_path()];
    let mut keepalive = packaged.run(&packaged.entry(), &folders, "configure keepalive --print");
    let entry = packaged.entry().to_str().unwrap().to_owned();
    let own = packaged.person.program.to_str().unwrap().to_owned();
    keepalive.assert().success().stdout(contains(entry).and(contains(own).not()));
}

#[test]
fn dockers_link_lies_beside_the_entry_on_the_path() {
    let packaged = Packaged::new();
    let folders = [packaged.bin.as_path()];
    let configured =
        packaged.run(&packaged.entry(), &folders, "configure docker").assert().success();
    configured.stderr(contains("on its PATH").not());
    let link = packaged.bin.join("docker-credential-codex-credential");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("codex-credential"));
    assert!(!packaged.person.program.with_file_name("docker-credential-codex-credential").exists());
    packaged.run(&packaged.entry(), &folders, "unconfigure docker").assert().success();
    assert!(!link.is_symlink());
}
