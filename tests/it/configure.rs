//! `configure TOOL` and `unconfigure TOOL` restore every byte of the tool's file.

use crate::configure_cases::CASES;
use crate::machine::Machine;
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// Puts both programs of the folder `from` into `into`. Returns the path of the one that other programs run.
pub fn install(from: &Path, into: &Path) -> PathBuf {
    for name in ["codex-credential", "codex-credential-full"] {
        let (from, into) = (from.join(name), into.join(name));
        if !into.exists() {
            fs::hard_link(&from, &into).or_else(|_| fs::copy(&from, &into).map(drop)).unwrap();
        }
    }
    into.join("codex-credential")
}

/// A folder name that needs quotes in every language.
pub const ODD: &str =
    "odd 'name' \"of\" a $HOME ${HOME} $(id) `id` 100% %h \\% !x; # \\ \\n f\u{f6}lder\\";

/// A user with a home folder, and a folder with the program.
pub struct User {
    pub machine: Machine,
    pub home: PathBuf,
    pub program: PathBuf,
}

impl User {
    pub fn new() -> Self {
        Self::with_program_in("bin")
    }

    pub fn with_program_in(folder: &str) -> Self {
        let machine = Machine::new();
        let (home, bin) = (machine.path("home"), machine.path(folder));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&bin).unwrap();
        let built = assert_cmd::cargo::cargo_bin!("codex-credential");
        let program = install(built.parent().unwrap(), &bin);
        Self { machine, home, program }
    }

    /// Prepares a command without CODEX_HOME, so that every file is below HOME.
    pub fn run(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", search_path()).env("HOME", &self.home);
        command.args(line.split_whitespace());
        command
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs a program that finds the shared login.
    pub fn answer(&self, program: &Path, arguments: &[&str], input: &str) -> Output {
        let mut command = std::process::Command::new(program);
        command.args(arguments).env_clear().env("HOME", &self.home);
        command.env("PATH", search_path());
        command.env("CODEX_HOME", self.machine.codex_home());
        command.env("CODEX_CREDENTIAL_ISSUER", self.machine.issuer.url());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program may answer before it has read all input.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "tests run the git that is installed")]
pub fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap()
}

#[test]
fn unconfigure_restores_every_byte() {
    let user = User::new();
    for (tool, name, texts) in CASES {
        for text in *texts {
            user.write(name, text);
            user.run(&format!("configure {tool}")).assert().success();
            let configured = user.text(name);
            assert_ne!(configured, *text, "{tool}: nothing was written into {text:?}");
            let again = user.run(&format!("configure {tool}")).assert().success();
            again.stderr(contains("already configured"));
            assert_eq!(user.text(name), configured, "{tool} is not idempotent on {text:?}");
            user.run(&format!("unconfigure {tool}")).assert().success();
            assert_eq!(user.text(name), *text, "{tool}, from {configured:?}");
            fs::remove_file(user.file(name)).unwrap();
        }
    }
}

#[test]
fn unconfigure_removes_a_file_that_configure_made() {
    let user = User::new();
    for (tool, name, _) in CASES {
        user.run(&format!("configure {tool}")).assert().success();
        let mode = fs::metadata(user.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        user.run(&format!("unconfigure {tool}")).assert().success();
        assert!(!user.file(name).exists(), "{name} still exists");
        let nothing = user.run(&format!("unconfigure {tool}")).assert().success();
        nothing.stderr(contains("not configured"));
    }
    assert_eq!(fs::read_dir(user.program.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn print_shows_the_change_and_writes_nothing() {
    let user = User::new();
    for (tool, name, _) in CASES {
        let shown = user.run(&format!("configure {tool} --print")).assert().success();
        let path = user.file(name).to_str().unwrap().to_owned();
        shown.stdout(is_empty()).stderr(contains(path).and(contains("\n+")));
    }
    assert_eq!(fs::read_dir(&user.home).unwrap().count(), 0);
}

#[test]
fn symbolic_links_and_permissions_are_kept() {
    let user = User::new();
    for (tool, name, texts) in CASES {
        let (link, dotfile) = (user.file(name), user.file("dotfiles/file"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        // Relative, as tools that manage dotfiles make it.
        symlink("../".repeat(name.matches('/').count()) + "dotfiles/file", &link).unwrap();
        for text in *texts {
            user.write("dotfiles/file", text);
            fs::set_permissions(&dotfile, fs::Permissions::from_mode(0o640)).unwrap();
            for operation in ["configure", "unconfigure"] {
                user.run(&format!("{operation} {tool}")).assert().success();
                assert!(link.is_symlink() && !dotfile.is_symlink(), "{operation} {tool}");
                assert_eq!(fs::metadata(&dotfile).unwrap().permissions().mode() & 0o777, 0o640);
            }
            assert_eq!(user.text("dotfiles/file"), *text);
        }
        fs::remove_file(&dotfile).unwrap();
        // A link to a missing file: the file is made and removed.
        user.run(&format!("configure {tool}")).assert().success();
        assert!(link.is_symlink() && dotfile.exists(), "{tool}");
        user.run(&format!("unconfigure {tool}")).assert().success();
        assert!(link.is_symlink() && !dotfile.exists(), "{tool}");
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn other_entry_is_left_alone_without_force() {
    let user = User::new();
    let cases = [
        ("git", ".gitconfig", "[credential \"https://chatgpt.com\"]\n\thelper = other\n"),
        ("codex", ".codex/config.toml", "[model_providers.codex-credential]\nenv_key = \"K\"\n"),
        ("claude-code", ".claude/settings.json", "{ \"apiKeyHelper\": \"/bin/other\" }"),
        (
            "pi",
            ".pi/agent/models.json",
            "{\"providers\": {\"openai-codex\": {\"apiKey\": \"s3cret\"}}}",
        ),
        ("docker", ".docker/config.json", "{\"credHelpers\": {\"chatgpt.com\": \"other\"}}"),
        ("bazel", ".bazelrc", "build --credential_helper=chatgpt.com=/other"),
    ];
    for (tool, name, text) in cases {
        user.write(name, text);
        let refusal = user.run(&format!("configure {tool}")).assert().code(2);
        let path = user.file(name).to_str().unwrap().to_owned();
        let hint = if tool == "codex" { "hint: remove the entries" } else { "--force" };
        let is_unchanged = contains("; nothing was changed\n").and(contains(hint));
        refusal.stderr(contains(path).and(is_unchanged).and(contains("s3cret").not()));
        user.run(&format!("unconfigure {tool}"))
            .assert()
            .success()
            .stderr(contains("not configured"));
        assert_eq!(user.text(name), text, "{tool}");
    }
    for (tool, name, text) in cases {
        let forced = user.run(&format!("configure {tool} --force")).assert();
        match tool {
            "codex" => forced.code(2).stderr(contains("hint: remove the entries")),
            // The other entry stays, and ours comes after it and has precedence.
            "git" | "bazel" => {
                forced.success();
                let undone = user.run(&format!("unconfigure {tool}")).assert().success();
                assert_eq!(user.text(name), text, "{tool}");
                undone
            }
            _ => {
                forced.success().stderr(contains("cannot restore it").and(contains("s3cret").not()))
            }
        };
    }
}

#[test]
fn malformed_file_is_reported_with_its_line_and_not_changed() {
    let user = User::new();
    let cases = [
        ("git", ".gitconfig", "[user]\n\tname = Ada\n[credential\n"),
        ("git", ".gitconfig", "[user]\n\tname = Ada\n\temail = a\\"),
        ("codex", ".codex/config.toml", "model = 'x'\n\n= ?\n"),
        ("claude-code", ".claude/settings.json", "{\n  \"a\": 1,\n  \"b\" 2\n}\n"),
        ("pi", ".pi/agent/models.json", "{\n\n  \"providers\": []\n}\n"),
        ("docker", ".docker/config.json", "{\n\n  \"a\": 1\n  \"b\": 2\n}\n"),
        ("bazel", ".bazelrc", "build \\\n  -c \\\n opt \\"),
    ];
    for (tool, name, text) in cases {
        user.write(name, text);
        let refusal = user.run(&format!("configure {tool}")).assert().code(2);
        let line = contains(format!("{}, line 3: ", user.file(name).display()));
        refusal.stderr(line.and(contains("; nothing was changed\n")));
        assert_eq!(user.text(name), text);
    }
    for (name, text) in [("empty", ""), ("array", "[]"), ("text", "hello")] {
        user.write(".claude/settings.json", text);
        user.run("configure claude-code").assert().code(2).stderr(contains("line 1: "));
        assert_eq!(user.text(".claude/settings.json"), text, "{name}");
    }
    fs::write(user.file(".gitconfig"), b"[user]\n\tname = \xe4da\n").unwrap();
    user.run("configure git").assert().code(2).stderr(contains("line 2: "));
}

/// A git that another program overtakes: the file changes after configure has read it.
#[test]
fn file_changed_by_another_program_in_the_meantime_is_left_alone() {
    let user = User::new();
    let (name, text) = (".gitconfig", "[user]\n\tname = Ada\n");
    let bin = user.machine.path("git");
    fs::create_dir(&bin).unwrap();
    let git = format!("#!/bin/sh\necho '# changed' >>\"$HOME/{name}\"\nexit 1\n");
    fs::write(bin.join("git"), git).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    for line in ["configure git", "unconfigure git"] {
        user.write(name, text);
        if line == "unconfigure git" {
            user.run("configure git").assert().success();
        }
        let before = user.text(name);
        let refused = user.run(line).env("PATH", &bin).assert().code(1);
        refused
            .stderr(contains("in the meantime; nothing was changed\nhint: run the command again"));
        assert_eq!(user.text(name), format!("{before}# changed\n"));
    }
}

#[test]
fn file_reformatted_by_its_tool_loses_only_our_entry() {
    let user = User::new();
    let name = ".claude/settings.json";
    user.write(name, "{\"a\":1}");
    user.run("configure claude-code").assert().success();
    let helper =
        serde_json::from_str::<Value>(&user.text(name)).unwrap()["apiKeyHelper"].to_string();
    for (rewritten, expected) in [
        (
            format!("{{\n  \"a\": 1,\n  \"apiKeyHelper\": {helper},\n  \"b\": 2\n}}\n"),
            "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        ),
        (format!("{{\n  \"a\": 1,\n  \"apiKeyHelper\": {helper}\n}}"), "{\n  \"a\": 1\n}"),
    ] {
        user.write(name, &rewritten);
        user.run("configure claude-code").assert().success().stderr(contains("already configured"));
        assert_eq!(user.text(name), rewritten);
        user.run("unconfigure claude-code").assert().success();
        assert_eq!(user.text(name), expected);
    }
}

#[test]
fn difference_shows_no_secret_in_the_same_line() {
    let user = User::new();
    user.write(".docker/config.json", "{\"auths\":{\"example.org\":{\"auth\":\"c2VjcmV0\"}}}");
    let shown = user.run("configure docker").assert().success();
    shown.stderr(contains("credHelpers").and(contains("c2VjcmV0").not()));
}

#[test]
fn lines_added_around_our_entry_are_kept() {
    let user = User::new();
    let cases = [
        ("git", ".gitconfig", "[user]\n\tname = Ada\n", "# end\n[alias]\n\tx = y"),
        ("codex", ".codex/config.toml", "model = 'x'\r\n", "\n[tools] # mine\nweb_search = true\n"),
        ("bazel", ".bazelrc", "build -c opt\n", "test -c dbg"),
    ];
    for (tool, name, before, after) in cases {
        for text in [None, Some(""), Some("# first"), Some("# first\n")] {
            text.inspect(|text| user.write(name, text));
            user.run(&format!("configure {tool}")).assert().success();
            let ours = user.text(name);
            let newline = if ours.ends_with('\n') { "" } else { "\n" };
            user.write(name, &format!("{before}{ours}{newline}{after}"));
            user.run(&format!("configure {tool}")).assert().success();
            user.run(&format!("unconfigure {tool}")).assert().success();
            let text = user.text(name).replace("# first\n", "");
            assert_eq!(text, format!("{before}{after}"), "{tool}");
            fs::remove_file(user.file(name)).unwrap();
        }
    }
}

#[test]
fn toml_that_cannot_be_extended_is_refused_and_not_changed() {
    let user = User::new();
    let name = ".codex/config.toml";
    for text in [
        "model_providers = { x = { name = \"x\" } }\n",
        "model_providers = {}",
        "model_providers = { x = { http_headers = { a = \"b\" } } }\n\n[tools]\n",
        "[model_providers]\ncodex-credential = { name = 'mine', base_url = 'http://127.0.0.1' }\n",
        "[model_providers.x]\n[model_providers.x]\n",
        "a.b = 1\n[a]\n",
        "model_providers = 1\n",
    ] {
        user.write(name, text);
        let refusal = user.run("configure codex").assert().code(2);
        refusal.stderr(contains("; nothing was changed\n").and(contains("\nhint: ")));
        assert_eq!(user.text(name), text);
    }
}

#[test]
fn failed_write_says_what_was_changed() {
    let user = User::new();
    let link = user.program.with_file_name("docker-credential-codex-credential");
    let link_was_changed = format!("; {} was changed\n", link.display());
    for (tool, name, says) in [
        ("codex", ".codex/config.toml", "; nothing was changed\n"),
        ("docker", ".docker/config.json", link_was_changed.as_str()),
    ] {
        let path = user.file(name);
        fs::create_dir(path.parent().unwrap()).unwrap();
        // No user can make a folder there.
        symlink("/proc/none/config", path).unwrap();
        user.run(&format!("configure {tool}")).assert().code(1).stderr(contains(says));
    }
}
