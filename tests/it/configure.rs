//! `configure TOOL` and `unconfigure TOOL`: our entry comes and goes, and every other byte stays.

use crate::machine::{Machine, OURS};
use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// A tool, its file below the home folder, and texts that such a file may have.
pub type Case = (&'static str, &'static str, &'static [&'static str]);

const JSON: &[&str] = &[
    "{}",
    "{ }",
    "{}\n",
    "{\n}\n",
    "{\r\n  \r\n}\r\n",
    "{ // nothing yet\n}\n",
    "{\n  // nothing yet\n}",
    "{\"a\":1}",
    "{ \"a\": 1 }\n\n",
    "{\n\t\"a\": [1,\n2],\n\n\t\"b\": {},\n}\n",
    "{\r\n    \"a\": \"ü\",\r\n    \"b\": null\r\n}",
    "/* mine */\n{ // all of it\n  \"a\" : 1 , // one\n\n  \"b\":2 /* last */ }\n// end",
];

pub const CASES: &[Case] = &[
    (
        "git",
        ".gitconfig",
        &[
            "",
            "\n",
            "[user]\n\tname = Ada",
            "[user]\r\n\tname = Ada\r\n",
            "[user]\r\n\tname = Ada",
            "# mine\n[credential]\n\thelper = store\n\n[credential \"https://example.org\"]\n  helper=x;y\n\n\n",
            "[credential \"https://chatgpt.com\"]\n\tusername = ada@example.com\n# end",
            "[alias]\n\tx = \"a # b\"   ; comment\n\ty = one \\\n  two\n",
        ],
    ),
    (
        "codex",
        ".codex/config.toml",
        &[
            "",
            "\n",
            "model = \"gpt-5\"",
            "# mine\r\nmodel   =   'gpt-5'\r\n\r\n[projects.\"/x\"]\r\ntrust_level = \"trusted\"\r\n",
            "[model_providers.proxy]\nbase_url = \"http://127.0.0.1\"  # here\nenv_key = \"KEY\"\n\n# end",
            "[model_providers]\n\n[model_providers.proxy.auth]\ncommand = \"other\"\n",
        ],
    ),
    ("claude-code", ".claude/settings.json", JSON),
    ("pi", ".pi/agent/models.json", JSON),
    (
        "pi",
        ".pi/agent/models.json",
        &[
            "{\"providers\":{}}",
            "{ \"providers\": { } }",
            "{\n  \"providers\": {\n  }\n}\n",
            "{\n  \"providers\": {\n    \"ollama\": { \"apiKey\": \"x\" } // local\n  }\n}\n",
        ],
    ),
    ("docker", ".docker/config.json", JSON),
    (
        "docker",
        ".docker/config.json",
        &[
            "{\n\t\"auths\": {\n\t\t\"example.org\": {\n\t\t\t\"auth\": \"c2VjcmV0\"\n\t\t}\n\t}\n}",
            "{\"credHelpers\":{\"example.org\":\"other\"},\"credsStore\":\"secretservice\"}",
        ],
    ),
    (
        "bazel",
        ".bazelrc",
        &[
            "",
            "build -c opt",
            "# mine\r\nbuild -c opt\r\n",
            "common --credential_helper=*.example.org=/x\n\n",
        ],
    ),
];

/// Both programs of the folder `from`, in `into` as well; the one that others run.
pub fn install(from: &Path, into: &Path) -> PathBuf {
    for name in ["codex-credential", "codex-credential-full"] {
        let (from, into) = (from.join(name), into.join(name));
        if !into.exists() {
            fs::hard_link(&from, &into).or_else(|_| fs::copy(&from, &into).map(drop)).unwrap();
        }
    }
    into.join("codex-credential")
}

/// A folder that has to be quoted wherever it is written.
pub const ODD: &str = "odd 'name' \"of\" a $HOME; # \\ folder";

/// A person with a home folder and the program in a folder of its own.
pub struct Person {
    pub machine: Machine,
    pub home: PathBuf,
    pub program: PathBuf,
}

impl Person {
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

    /// Without CODEX_HOME, so that all of it is below HOME.
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

    /// What a program of this person's gets, with the shared login.
    pub fn answer(&self, program: &Path, arguments: &[&str], input: &str) -> Output {
        let mut command = std::process::Command::new(program);
        command.args(arguments).env_clear().env("HOME", &self.home);
        command.env("PATH", search_path());
        command.env("CODEX_HOME", self.machine.codex_home());
        command.env("CODEX_CREDENTIAL_ISSUER", self.machine.issuer.url());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who does not read all of it is judged by the answer.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "git is looked for where the tester has it")]
pub fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap()
}

#[test]
fn every_other_byte_stays() {
    let person = Person::new();
    for (tool, name, texts) in CASES {
        for text in *texts {
            person.write(name, text);
            person.run(&format!("configure {tool}")).assert().success();
            let configured = person.text(name);
            assert_ne!(configured, *text, "{tool}: nothing was written into {text:?}");
            let again = person.run(&format!("configure {tool}")).assert().success();
            again.stderr(contains("already configured"));
            assert_eq!(person.text(name), configured, "{tool} is not idempotent on {text:?}");
            person.run(&format!("unconfigure {tool}")).assert().success();
            assert_eq!(person.text(name), *text, "{tool}, by way of {configured:?}");
            fs::remove_file(person.file(name)).unwrap();
        }
    }
}

#[test]
fn a_file_that_was_not_there_goes_again() {
    let person = Person::new();
    for (tool, name, _) in CASES {
        person.run(&format!("configure {tool}")).assert().success();
        let mode = fs::metadata(person.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        person.run(&format!("unconfigure {tool}")).assert().success();
        assert!(!person.file(name).exists(), "{name} is left: {}", person.text(name));
        let nothing = person.run(&format!("unconfigure {tool}")).assert().success();
        nothing.stderr(contains("not configured"));
    }
    assert_eq!(fs::read_dir(person.program.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn only_showing_writes_nothing() {
    let person = Person::new();
    for (tool, name, _) in CASES {
        let shown = person.run(&format!("configure {tool} --print")).assert().success();
        let path = person.file(name).to_str().unwrap().to_owned();
        shown.stdout(is_empty()).stderr(contains(path).and(contains("@@")).and(contains("\n+")));
    }
    assert_eq!(fs::read_dir(&person.home).unwrap().count(), 0);
}

#[test]
fn a_link_stays_a_link_and_permissions_stay() {
    let person = Person::new();
    for (tool, name, texts) in CASES {
        let (link, dotfile) = (person.file(name), person.file("dotfiles/file"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        // Relative, as those who keep their files elsewhere make them.
        symlink("../".repeat(name.matches('/').count()) + "dotfiles/file", &link).unwrap();
        for text in *texts {
            person.write("dotfiles/file", text);
            fs::set_permissions(&dotfile, fs::Permissions::from_mode(0o640)).unwrap();
            for operation in ["configure", "unconfigure"] {
                person.run(&format!("{operation} {tool}")).assert().success();
                assert!(link.is_symlink() && !dotfile.is_symlink(), "{operation} {tool}");
                assert_eq!(fs::metadata(&dotfile).unwrap().permissions().mode() & 0o777, 0o640);
            }
            assert_eq!(person.text("dotfiles/file"), *text);
        }
        fs::remove_file(&dotfile).unwrap();
        // To nothing: what it leads to comes and goes.
        person.run(&format!("configure {tool}")).assert().success();
        assert!(link.is_symlink() && dotfile.exists(), "{tool}");
        person.run(&format!("unconfigure {tool}")).assert().success();
        assert!(link.is_symlink() && !dotfile.exists(), "{tool}");
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn anothers_entry_is_left_alone() {
    let person = Person::new();
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
        person.write(name, text);
        let refusal = person.run(&format!("configure {tool}")).assert().code(2);
        refusal.stderr(contains(person.file(name).to_str().unwrap()).and(contains("s3cret").not()));
        person
            .run(&format!("unconfigure {tool}"))
            .assert()
            .success()
            .stderr(contains("not configured"));
        assert_eq!(person.text(name), text, "{tool}");
    }
    for (tool, name, text) in cases {
        let forced = person.run(&format!("configure {tool} --force")).assert();
        match tool {
            "codex" => forced.code(2).stderr(contains("--name")),
            // Nothing of another's has to go: ours is the last one, and wins.
            "git" | "bazel" => {
                forced.success();
                let undone = person.run(&format!("unconfigure {tool}")).assert().success();
                assert_eq!(person.text(name), text, "{tool}");
                undone
            }
            _ => forced
                .success()
                .stderr(contains("cannot bring it back").and(contains("s3cret").not())),
        };
    }
}

#[test]
fn a_malformed_file_is_named_with_its_line() {
    let person = Person::new();
    let cases = [
        ("git", ".gitconfig", "[user]\n\tname = Ada\n[credential\n"),
        ("codex", ".codex/config.toml", "model = 'x'\n\n= ?\n"),
        ("claude-code", ".claude/settings.json", "{\n  \"a\": 1,\n  \"b\" 2\n}\n"),
        ("pi", ".pi/agent/models.json", "{\n\n  \"providers\": []\n}\n"),
        ("docker", ".docker/config.json", "{\n\n  \"a\": 1\n  \"b\": 2\n}\n"),
        ("bazel", ".bazelrc", "build \\\n  -c \\\n opt \\"),
    ];
    for (tool, name, text) in cases {
        person.write(name, text);
        let refusal = person.run(&format!("configure {tool}")).assert().code(2);
        refusal.stderr(contains(format!("{}, line 3: ", person.file(name).display())));
        assert_eq!(person.text(name), text);
    }
    for (name, text) in [("empty", ""), ("array", "[]"), ("text", "hello")] {
        person.write(".claude/settings.json", text);
        person.run("configure claude-code").assert().code(2).stderr(contains("line 1: "));
        assert_eq!(person.text(".claude/settings.json"), text, "{name}");
    }
    fs::write(person.file(".gitconfig"), b"[user]\n\tname = \xe4da\n").unwrap();
    person.run("configure git").assert().code(2).stderr(contains("line 2: "));
}

#[test]
fn a_program_that_has_moved_takes_its_entry_along() {
    let person = Person::new();
    for (tool, name, texts) in CASES.iter().filter(|(tool, ..)| *tool != "docker") {
        person.write(name, texts[3]);
        person.run(&format!("configure {tool}")).assert().success();
        let moved = person.machine.path("elsewhere");
        fs::create_dir_all(&moved).unwrap();
        let moved = install(person.program.parent().unwrap(), &moved);
        let mut command = Command::new(&moved);
        command.env("HOME", &person.home).env_remove("CODEX_HOME").args(["configure", tool]);
        command.assert().success();
        let text = person.text(name);
        assert!(
            text.contains("/elsewhere/codex-credential") && !text.contains("/bin/codex"),
            "{text}"
        );
        person.run(&format!("unconfigure {tool}")).assert().success();
        assert_eq!(person.text(name), texts[3]);
        fs::remove_file(person.file(name)).unwrap();
    }
}

#[test]
fn a_file_that_its_tool_wrote_anew_loses_our_entry_alone() {
    let person = Person::new();
    let name = ".claude/settings.json";
    person.write(name, "{\"a\":1}");
    person.run("configure claude-code").assert().success();
    let helper =
        serde_json::from_str::<Value>(&person.text(name)).unwrap()["apiKeyHelper"].to_string();
    for (rewritten, expected) in [
        (
            format!("{{\n  \"a\": 1,\n  \"apiKeyHelper\": {helper},\n  \"b\": 2\n}}\n"),
            "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        ),
        (format!("{{\n  \"a\": 1,\n  \"apiKeyHelper\": {helper}\n}}"), "{\n  \"a\": 1\n}"),
    ] {
        person.write(name, &rewritten);
        person
            .run("configure claude-code")
            .assert()
            .success()
            .stderr(contains("already configured"));
        assert_eq!(person.text(name), rewritten);
        person.run("unconfigure claude-code").assert().success();
        assert_eq!(person.text(name), expected);
    }
}

#[test]
fn what_is_shown_of_a_line_is_what_is_new_of_it() {
    let person = Person::new();
    person.write(".docker/config.json", "{\"auths\":{\"example.org\":{\"auth\":\"c2VjcmV0\"}}}");
    let shown = person.run("configure docker").assert().success();
    shown.stderr(contains("credHelpers").and(contains("c2VjcmV0").not()));
}

#[test]
fn git_asks_us_for_our_host_alone() {
    for folder in ["bin", ODD] {
        let person = Person::with_program_in(folder);
        person.write(
            ".gitconfig",
            "[credential]\n\thelper = \"!echo password=wrong; echo username=wrong; :\"\n",
        );
        let tokens = person.machine.sign_in(3600);
        person.run("configure git").assert().success();
        let fill = |input: &str| person.answer(Path::new("git"), &["credential", "fill"], input);
        let answer = String::from_utf8(fill(OURS).stdout).unwrap();
        assert!(answer.contains(&format!("password={}\n", tokens.access_token)), "{answer}");
        let other = String::from_utf8(fill("protocol=https\nhost=example.org\n\n").stdout).unwrap();
        assert!(other.contains("password=wrong"), "{other}");
        person.run("unconfigure git").assert().success();
        let answer = String::from_utf8(fill(OURS).stdout).unwrap();
        assert!(answer.contains("password=wrong"), "{answer}");
    }
}

#[test]
fn git_has_a_second_place_for_its_file() {
    let person = Person::new();
    person.write(".config/git/config", "[user]\n\tname = Ada\n");
    person.run("configure git").assert().success();
    assert!(
        !person.file(".gitconfig").exists() && person.text(".config/git/config").contains("helper")
    );
    person.run("unconfigure git").assert().success();
    let elsewhere = person.file("elsewhere");
    person.run("configure git").env("GIT_CONFIG_GLOBAL", &elsewhere).assert().success();
    assert!(elsewhere.exists());
}

#[test]
fn an_entry_by_hand_is_known_and_left_to_the_hand() {
    let person = Person::new();
    let set = [
        "config",
        "--global",
        "credential.https://chatgpt.com.helper",
        person.program.to_str().unwrap(),
    ];
    assert!(person.answer(Path::new("git"), &set, "").status.success());
    let text = person.text(".gitconfig");
    person.run("configure git").assert().success().stderr(contains("already configured"));
    person.run("unconfigure git").assert().code(2).stderr(contains("by hand"));
    assert_eq!(person.text(".gitconfig"), text);
}

/// git and people add to the section that is there: taken out under its header, their lines would be another section's.
#[test]
fn what_was_added_to_our_section_keeps_its_header() {
    let person = Person::new();
    person.write(".gitconfig", "[alias]\n\tx = y\n");
    person.run("configure git").assert().success();
    let set = ["config", "--global", "credential.https://chatgpt.com.username", "ada"];
    assert!(person.answer(Path::new("git"), &set, "").status.success());
    person.write(".codex/config.toml", "[tools]\nweb_search = true\n");
    person.run("configure codex").assert().success();
    let codex = person.text(".codex/config.toml");
    person.write(".codex/config.toml", &format!("{codex}\n# mine\nrefresh_on_error = true\n"));
    for (tool, file) in [("git", ".gitconfig"), ("codex", ".codex/config.toml")] {
        let text = person.text(file);
        person.run(&format!("unconfigure {tool}")).assert().code(2).stderr(contains("by hand"));
        assert_eq!(person.text(file), text);
    }
}

#[test]
fn a_provider_of_codex_gets_a_token_command() {
    let person = Person::new();
    let name = ".codex/config.toml";
    let mine = "[model_providers.proxy]\nname = \"mine\"\nbase_url = \"http://127.0.0.1/v1\"\nwire_api = \"responses\"\n";
    person.write(name, mine);
    person.run("configure codex --name proxy").assert().success();
    let config: toml::Table = person.text(name).parse().unwrap();
    let proxy = &config["model_providers"]["proxy"];
    assert_eq!(proxy["name"].as_str(), Some("mine"));
    assert_eq!(proxy["auth"]["command"].as_str(), person.program.to_str());
    assert_eq!(proxy["auth"]["args"], toml::Value::from(vec!["get", "--format", "token"]));
    person.run("configure codex --base-url http://127.0.0.1:1/v1").assert().success();
    person.run("configure codex --base-url https://chatgpt.com/v1").assert().success();
    let config: toml::Table = person.text(name).parse().unwrap();
    let ours = &config["model_providers"]["codex-credential"];
    assert_eq!(ours["base_url"].as_str(), Some("https://chatgpt.com/v1"));
    assert_eq!(ours["wire_api"].as_str(), Some("responses"));
    person.run("unconfigure codex --name proxy").assert().success();
    person.run("unconfigure codex").assert().success();
    assert_eq!(person.text(name), mine);
    person.write(name, "model_providers = { x = { name = \"x\" } }\n");
    person.run("configure codex").assert().code(2).stderr(contains("model_providers"));
}

#[test]
fn a_token_is_not_sent_to_a_host_that_it_is_not_for() {
    let person = Person::new();
    let refusal = || contains("hint: ").and(contains("chatgpt.com"));
    for tool in ["codex", "pi"] {
        for url in ["https://example.org/v1", "http://chatgpt.com", "https://chatgpt.com:8443", "x"]
        {
            let refused =
                person.run(&format!("configure {tool} --base-url {url}")).assert().code(2);
            refused.stderr(refusal());
        }
    }
    assert_eq!(fs::read_dir(&person.home).unwrap().count(), 0);
    // A provider that is there says by itself where the token would go.
    let name = ".codex/config.toml";
    let theirs = "[model_providers.proxy]\nbase_url = \"https://example.org/v1\"\n";
    person.write(name, theirs);
    person.run("configure codex --name proxy").assert().code(2).stderr(refusal());
    assert_eq!(person.text(name), theirs);
    for url in ["https://chatgpt.com/gateway", "http://localhost:8080/v1", "http://[::1]:8080"] {
        for tool in ["codex", "pi"] {
            person.run(&format!("configure {tool} --base-url {url}")).assert().success();
            person.run(&format!("unconfigure {tool}")).assert().success();
        }
    }
    assert_eq!(person.text(name), theirs);
}

#[test]
fn the_command_in_an_odd_folder_is_one_that_a_shell_runs() {
    let person = Person::with_program_in("odd 'name' \"of\" a $HOME folder");
    let tokens = person.machine.sign_in(3600);
    person.run("configure claude-code").assert().success();
    person.run("configure pi").assert().success();
    let read = |name| serde_json::from_str::<Value>(&person.text(name)).unwrap();
    let claude = read(".claude/settings.json")["apiKeyHelper"].as_str().unwrap().to_owned();
    let pi = read(".pi/agent/models.json")["providers"]["openai-codex"]["apiKey"].clone();
    for command in [claude.as_str(), pi.as_str().unwrap().strip_prefix('!').unwrap()] {
        let output = person.answer(Path::new("/bin/sh"), &["-c", command], "");
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), tokens.access_token);
    }
}
