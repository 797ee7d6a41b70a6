//! The path of the program that `configure` writes.

use crate::configure::{User, install, search_path};
use crate::configure_cases::naming_the_program;
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A user whose package manager installed the program in a folder of its release, with a link to it on the PATH.
struct Packaged {
    user: User,
    /// The folder of the link.
    bin: PathBuf,
}

impl Packaged {
    fn new() -> Self {
        let user = User::with_program_in("release-1");
        let bin = user.machine.path("bin");
        fs::create_dir(&bin).unwrap();
        symlink("../release-1/codex-credential", bin.join("codex-credential")).unwrap();
        Self { user, bin }
    }

    fn entry(&self) -> PathBuf {
        self.bin.join("codex-credential")
    }

    /// Prepares a call of `program`, with `folders` first on the PATH.
    fn run(&self, program: &Path, folders: &[&Path], line: &str) -> Command {
        let others = search_path();
        let path = folders.iter().map(PathBuf::from).chain(std::env::split_paths(&others));
        let mut command = self.user.run(line);
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut with_path = Command::new(program);
        with_path.env_clear().env("HOME", &self.user.home).args(arguments);
        command = with_path;
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }
}

fn writes(text: &str, path: &Path) -> bool {
    text.contains(path.to_str().unwrap())
}

#[test]
fn path_entry_is_written_and_survives_an_upgrade() {
    let packaged = Packaged::new();
    let (user, entry) = (&packaged.user, packaged.entry());
    let tokens = user.machine.sign_in(3600);
    let empty = user.machine.path("empty");
    fs::create_dir(&empty).unwrap();
    // Another program with this name is earlier on the PATH.
    let other = user.machine.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("codex-credential"), "").unwrap();
    let folders = [Path::new("relative"), &empty, &other, &packaged.bin];
    for (tool, name, _) in naming_the_program() {
        // Started by its link and by its own path.
        for program in [&entry, &user.program] {
            packaged.run(program, &folders, &format!("configure {tool}")).assert().success();
            let text = user.text(name);
            assert!(writes(&text, &entry) && !writes(&text, &user.program), "{tool}: {text}");
        }
        let again = packaged.run(&entry, &folders, &format!("configure {tool}")).assert().success();
        again.stderr(contains("already configured"));
    }
    // Upgrade: the release is installed in another folder, and the link leads there.
    let next = user.machine.path("release-2");
    fs::create_dir(&next).unwrap();
    install(user.program.parent().unwrap(), &next);
    fs::remove_dir_all(user.program.parent().unwrap()).unwrap();
    fs::remove_file(&entry).unwrap();
    symlink("../release-2/codex-credential", &entry).unwrap();
    let asked = "protocol=https\nhost=chatgpt.com\n\n";
    let filled = user.answer(Path::new("git"), &["credential", "fill"], asked);
    let filled = String::from_utf8(filled.stdout).unwrap();
    assert!(filled.contains(&format!("password={}\n", tokens.access_token)), "{filled}");
    for (tool, name, _) in naming_the_program() {
        if user.file(name).exists() {
            let undo = format!("unconfigure {tool}");
            packaged.run(&entry, &folders, &undo).assert().success();
            assert!(!user.file(name).exists(), "{tool}");
        }
    }
}

#[test]
fn entry_with_the_programs_own_path_is_recognized_and_updated() {
    let packaged = Packaged::new();
    let (user, entry) = (&packaged.user, packaged.entry());
    for (tool, name, texts) in naming_the_program() {
        let text = texts[0];
        user.write(name, text);
        let own = packaged.run(&user.program, &[], &format!("configure {tool}"));
        { own }.assert().success();
        assert!(writes(&user.text(name), &user.program), "{tool}");
        // With the link on the PATH, configure updates it, and either path undoes it.
        let folders = [packaged.bin.as_path()];
        packaged.run(&entry, &folders, &format!("configure {tool}")).assert().success();
        let now = user.text(name);
        assert!(writes(&now, &entry) && !writes(&now, &user.program), "{tool}: {now}");
        packaged.run(&user.program, &[], &format!("unconfigure {tool}")).assert().success();
        assert_eq!(user.text(name), text, "{tool}");
        packaged.run(&user.program, &[], &format!("configure {tool}")).assert().success();
        packaged.run(&entry, &folders, &format!("unconfigure {tool}")).assert().success();
        assert_eq!(user.text(name), text, "{tool}");
        fs::remove_file(user.file(name)).unwrap();
    }
}

#[test]
fn timer_runs_the_path_entry() {
    let packaged = Packaged::new();
    let folders = [packaged.bin.as_path()];
    let mut keepalive = packaged.run(&packaged.entry(), &folders, "configure keepalive --print");
    let entry = packaged.entry().to_str().unwrap().to_owned();
    let own = packaged.user.program.to_str().unwrap().to_owned();
    keepalive.assert().success().stdout(contains(entry).and(contains(own).not()));
}

#[test]
fn docker_link_is_made_beside_the_path_entry() {
    let packaged = Packaged::new();
    let folders = [packaged.bin.as_path()];
    packaged.run(&packaged.entry(), &folders, "configure docker").assert().success();
    let link = packaged.bin.join("docker-credential-codex-credential");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("codex-credential"));
    assert!(!packaged.user.program.with_file_name("docker-credential-codex-credential").exists());
    packaged.run(&packaged.entry(), &folders, "unconfigure docker").assert().success();
    assert!(!link.is_symlink());
}
