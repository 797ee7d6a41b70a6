//! `configure TOOL` for the hosts of a profile.

use crate::configure::{ODD, User};
use crate::configure_cases::CASES;
use crate::configure_quote::bazel_options;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

const CONFIG: &str = ".config/codex-credential/config.toml";
const HOSTS: [&str; 2] = ["b.example", "c.example:8443"];

/// A user with a profile `company` that has two hosts and approves each sign-in, and a profile `idle` without hosts.
fn user(folder: &str, first_line: &str) -> User {
    let user = User::with_program_in(folder);
    user.machine.issuer.set(|s| {
        s.client_id = None;
        s.auto_approve = Some(Duration::ZERO);
    });
    let issuer = user.machine.issuer.url();
    let table = format!(
        "{first_line}\n[profiles.company]\nissuer = '{issuer}'\nclient_id = 'c'\nscope = 'openid email offline_access'\nhosts = {HOSTS:?}\n\
         [profiles.idle]\nissuer = '{issuer}'\nclient_id = 'i'\n"
    );
    user.write(CONFIG, &table);
    user
}

/// Returns the entry of each tool for `host`.
fn entries(user: &User, host: &str) -> [(&'static str, &'static str, String); 3] {
    let program = user.program.display();
    let name = host.split(':').next().unwrap();
    [
        (
            "git",
            ".gitconfig",
            format!("[credential \"https://{host}\"]\n\thelper =\n\thelper = {program}"),
        ),
        ("docker", ".docker/config.json", format!("\"{host}\": \"codex-credential\"")),
        ("bazel", ".bazelrc", format!("common --credential_helper={name}='{program}'\n")),
    ]
}

fn assert_entries(user: &User, is_expected: impl Fn(&str) -> bool, has_option: bool) {
    for host in ["chatgpt.com"].into_iter().chain(HOSTS) {
        for (tool, file, entry) in entries(user, host) {
            let text = user.text(file);
            assert_eq!(text.contains(&entry), is_expected(host), "{tool} {host}: {text}");
            let option = "--profile company";
            assert_eq!(text.contains(option), has_option && tool != "docker", "{tool}: {text}");
        }
    }
}

#[test]
fn each_host_of_the_chosen_profile_gets_an_entry() {
    for (first_line, option, variable) in [
        ("default_profile = 'company'", "", ""),
        ("", "", "company"),
        ("", " --profile company", ""),
        ("default_profile = 'idle'", " --profile company", "codex"),
    ] {
        let user = user("bin", first_line);
        let run = |operation: &str, tool: &str| {
            let mut command = user.run(&format!("{operation} {tool}{option}"));
            command.env("CODEX_CREDENTIAL_PROFILE", variable);
            command.assert().success()
        };
        for tool in ["git", "docker", "bazel"] {
            run("configure", tool);
            run("configure", tool).stderr(contains("already configured"));
        }
        assert_entries(&user, |host| HOSTS.contains(&host), !option.is_empty());
        for tool in ["git", "docker", "bazel"] {
            run("unconfigure", tool);
        }
        for (_, file, _) in entries(&user, "") {
            assert!(!user.file(file).exists(), "{file}: {}", user.text(file));
        }
    }
}

#[test]
fn unconfigure_restores_every_byte_with_two_profiles() {
    let user = user("bin", "");
    for (tool, name, texts) in CASES {
        for text in *texts {
            user.write(name, text);
            let url = match *tool {
                "codex" | "pi" => " --base-url https://b.example/v1",
                _ => "",
            };
            for line in [format!("{tool} --profile company{url}"), (*tool).to_owned()] {
                user.run(&format!("configure {line}")).assert().success();
            }
            assert_ne!(user.text(name), *text);
            let undo = [format!("{tool} --profile company"), (*tool).to_owned()];
            let undo = if text.len() % 2 == 0 { undo } else { [undo[1].clone(), undo[0].clone()] };
            for line in undo {
                user.run(&format!("unconfigure {line}")).assert().success();
            }
            assert_eq!(user.text(name), *text, "{tool}");
            fs::remove_file(user.file(name)).unwrap();
        }
    }
}

#[test]
fn git_gets_the_token_of_the_profile_that_has_the_host() {
    for folder in ["bin", ODD] {
        let user = user(folder, "");
        let codex = user.machine.sign_in(3600);
        let run = |words: &[&str]| user.answer(&user.program, words, "");
        let login = run(&["login", "--profile", "company", "--wait", "30s"]);
        assert!(login.status.success(), "{}", String::from_utf8_lossy(&login.stderr));
        let company = run(&["get", "--profile", "company", "--format", "token"]).stdout;
        let company = String::from_utf8(company).unwrap();
        let password = |host: &str| {
            let asked = format!("protocol=https\nhost={host}\n\n");
            let filled = user.answer(Path::new("git"), &["credential", "fill"], &asked);
            let filled = String::from_utf8(filled.stdout).unwrap();
            let password = filled.lines().find_map(|line| line.strip_prefix("password="));
            password.map(str::to_owned)
        };
        for option in ["", " --profile company"] {
            // Without the option, company has to be the default profile.
            let set = if option.is_empty() { "default_profile = 'company'\n" } else { "" };
            let config = user.text(CONFIG);
            let config = config.trim_start_matches("default_profile = 'company'\n").to_owned();
            user.write(CONFIG, &format!("{set}{config}"));
            user.run(&format!("configure git{option}")).assert().success();
            for host in HOSTS {
                assert_eq!(password(host).as_deref(), Some(company.trim_end()), "{folder} {host}");
            }
            user.run(&format!("unconfigure git{option}")).assert().success();
            assert!(!user.file(".gitconfig").exists());
        }
        user.run("--profile codex configure git").assert().success();
        assert_eq!(password("chatgpt.com"), Some(codex.access_token));
    }
}

#[test]
fn written_command_names_the_profile() {
    for folder in ["bin", ODD] {
        let user = user(folder, "");
        let login = ["login", "--profile", "company", "--wait", "30s"];
        assert!(user.answer(&user.program, &login, "").status.success());
        let get = ["get", "--profile", "company", "--format", "token"];
        let token = user.answer(&user.program, &get, "").stdout;
        for (option, variable) in [(" --profile company", ""), ("", "company")] {
            let run = |line: &str| {
                let mut command = user.run(&format!("{line}{option}"));
                command.env("CODEX_CREDENTIAL_PROFILE", variable).assert().success()
            };
            let url = "--base-url https://b.example/v1";
            run("configure claude-code");
            run(&format!("configure pi {url}"));
            run(&format!("configure codex {url}"));
            let read = |name| serde_json::from_str::<Value>(&user.text(name)).unwrap();
            let claude = read(".claude/settings.json")["apiKeyHelper"].as_str().unwrap().to_owned();
            let pi = read(".pi/agent/models.json")["providers"]["openai-codex"]["apiKey"].clone();
            for command in [claude.as_str(), pi.as_str().unwrap().strip_prefix('!').unwrap()] {
                let output = user.answer(Path::new("/bin/sh"), &["-c", command], "");
                assert_eq!(output.stdout, token, "{command}");
            }
            let codex: toml::Table = user.text(".codex/config.toml").parse().unwrap();
            let auth = &codex["model_providers"]["codex-credential-company"]["auth"];
            let args: Vec<&str> =
                auth["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
            assert_eq!(args, ["token", "--profile", "company"]);
            let command = Path::new(auth["command"].as_str().unwrap());
            assert_eq!(user.answer(command, &args, "").stdout, token);
            // An entry with another profile is recognized and updated.
            user.run("configure claude-code").assert().success();
            assert!(!user.text(".claude/settings.json").contains("--profile"));
            run("unconfigure codex");
            for tool in ["claude-code", "pi"] {
                user.run(&format!("unconfigure {tool}")).assert().success();
            }
            assert!(!user.file(".codex/config.toml").exists());
            assert!(!user.file(".claude/settings.json").exists());
        }
    }
}

#[test]
fn url_on_a_host_of_another_profile_is_refused() {
    let user = user("bin", "");
    for line in ["codex", "pi", "codex --base-url https://chatgpt.com/v1"] {
        let refused = user.run(&format!("configure {line} --profile company")).assert().code(2);
        refused.stderr(contains("does not allow the token for").and(contains("b.example")));
    }
    let refused = user.run("configure codex --base-url https://b.example/v1").assert().code(2);
    refused.stderr(contains("does not allow the token for"));
}

#[test]
fn written_command_gives_bazel_the_token_of_the_profile() {
    let user = user(ODD, "default_profile = 'company'");
    assert!(user.answer(&user.program, &["login", "--wait", "30s"], "").status.success());
    let token = user.answer(&user.program, &["get", "--format", "token"], "").stdout;
    let token = String::from_utf8(token).unwrap();
    user.run("configure bazel").assert().success();
    let text = user.text(".bazelrc");
    let options: Vec<String> = text.lines().flat_map(bazel_options).collect();
    let helper =
        |option: &String| option.strip_prefix("--credential_helper=c.example=").map(str::to_owned);
    let helper = options.iter().find_map(helper).unwrap();
    let helper = Path::new(&helper);
    let request = json!({"uri": "HTTPS://c.example:8443/x"}).to_string();
    let answer = user.answer(helper, &["get"], &request);
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["headers"]["Authorization"][0], format!("Bearer {}", token.trim_end()));
}

#[test]
fn profile_without_hosts_and_unknown_profile_are_refused() {
    let user = user("bin", "");
    for tool in ["git", "docker", "bazel"] {
        let refused = user.run(&format!("configure {tool} --profile idle")).assert().code(2);
        refused.stderr(contains("the profile idle has no hosts").and(contains("hint: ")));
        user.run(&format!("configure {tool} --profile compani")).assert().code(2);
    }
    assert_eq!(fs::read_dir(&user.home).unwrap().count(), 1, "config.toml alone");
}

#[test]
fn each_profile_gets_its_own_timer() {
    let user = user("bin", "");
    let shown = |line: &str| {
        let shown = user.run(line).assert().success();
        String::from_utf8(shown.get_output().stdout.clone()).unwrap()
    };
    let company = shown("configure keepalive --print --profile company");
    assert!(company.contains("/codex-credential-keepalive-company.timer\n"), "{company}");
    assert!(company.contains(" renew --profile company\n"), "{company}");
    let own = shown("configure keepalive --print");
    assert!(own.contains("/codex-credential-keepalive.timer\n") && !own.contains("--profile"));
}
