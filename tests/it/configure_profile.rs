//! `configure TOOL` for the hosts of a profile.

use crate::configure::{CASES, ODD, Person};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

const CONFIG: &str = ".config/codex-credential/config.toml";
const HOSTS: [&str; 2] = ["b.example", "c.example:8443"];

/// A profile `company` with two hosts, whose logins are approved.
fn person(folder: &str, first_line: &str) -> Person {
    let person = Person::with_program_in(folder);
    person.machine.issuer.set(|s| {
        s.client_id = None;
        s.auto_approve = Some(Duration::ZERO);
    });
    let issuer = person.machine.issuer.url();
    let table = format!(
        "{first_line}\n[profiles.company]\nissuer = '{issuer}'\nclient_id = 'c'\nscope = 'openid email offline_access'\nhosts = {HOSTS:?}\n\
         [profiles.idle]\nissuer = '{issuer}'\nclient_id = 'i'\n"
    );
    person.write(CONFIG, &table);
    person
}

/// How each of the tools has an entry for `host`.
fn entries(person: &Person, host: &str) -> [(&'static str, &'static str, String); 3] {
    let program = person.program.display();
    let name = host.split(':').next().unwrap();
    [
        (
            "git",
            ".gitconfig",
            format!("[credential \"https://{host}\"]\n\thelper =\n\thelper = {program}"),
        ),
        ("docker", ".docker/config.json", format!("\"{host}\": \"codex-credential\"")),
        ("bazel", ".bazelrc", format!("common --credential_helper={name}={program}\n")),
    ]
}

fn has_entries(person: &Person, is_there: impl Fn(&str) -> bool, named: bool) {
    for host in ["chatgpt.com"].into_iter().chain(HOSTS) {
        for (tool, file, entry) in entries(person, host) {
            let text = person.text(file);
            assert_eq!(text.contains(&entry), is_there(host), "{tool} {host}: {text}");
            let option = "--profile company";
            assert_eq!(text.contains(option), named && tool != "docker", "{tool}: {text}");
        }
    }
}

#[test]
fn each_host_of_the_profile_that_is_meant_gets_an_entry() {
    for (first_line, option, variable) in [
        ("default_profile = 'company'", "", ""),
        ("", "", "company"),
        ("", " --profile company", ""),
        ("default_profile = 'idle'", " --profile company", "codex"),
    ] {
        let person = person("bin", first_line);
        let run = |operation: &str, tool: &str| {
            let mut command = person.run(&format!("{operation} {tool}{option}"));
            command.env("CODEX_CREDENTIAL_PROFILE", variable);
            command.assert().success()
        };
        for tool in ["git", "docker", "bazel"] {
            run("configure", tool);
            run("configure", tool).stderr(contains("already configured"));
        }
        has_entries(&person, |host| HOSTS.contains(&host), !option.is_empty());
        for tool in ["git", "docker", "bazel"] {
            run("unconfigure", tool);
        }
        for (_, file, _) in entries(&person, "") {
            assert!(!person.file(file).exists(), "{file}: {}", person.text(file));
        }
    }
}

#[test]
fn every_other_byte_stays_with_several_hosts() {
    let person = person("bin", "");
    for (tool, name, texts) in CASES {
        for text in *texts {
            person.write(name, text);
            let url = match *tool {
                "codex" | "pi" => " --base-url https://b.example/v1",
                _ => "",
            };
            for line in [format!("{tool} --profile company{url}"), (*tool).to_owned()] {
                person.run(&format!("configure {line}")).assert().success();
            }
            assert_ne!(person.text(name), *text);
            // In either order.
            let undo = [format!("{tool} --profile company"), (*tool).to_owned()];
            let undo = if text.len() % 2 == 0 { undo } else { [undo[1].clone(), undo[0].clone()] };
            for line in undo {
                person.run(&format!("unconfigure {line}")).assert().success();
            }
            assert_eq!(person.text(name), *text, "{tool}");
            fs::remove_file(person.file(name)).unwrap();
        }
    }
}

#[test]
fn git_gets_the_token_of_the_profile_whose_host_it_asks_for() {
    for folder in ["bin", ODD] {
        let person = person(folder, "");
        let codex = person.machine.sign_in(3600);
        let run = |words: &[&str]| person.answer(&person.program, words, "");
        let login = run(&["login", "--profile", "company", "--wait", "30s"]);
        assert!(login.status.success(), "{}", String::from_utf8_lossy(&login.stderr));
        let company = run(&["get", "--profile", "company", "--format", "token"]).stdout;
        let company = String::from_utf8(company).unwrap();
        let password = |host: &str| {
            let asked = format!("protocol=https\nhost={host}\n\n");
            let filled = person.answer(Path::new("git"), &["credential", "fill"], &asked);
            let filled = String::from_utf8(filled.stdout).unwrap();
            let password = filled.lines().find_map(|line| line.strip_prefix("password="));
            password.map(str::to_owned)
        };
        for option in ["", " --profile company"] {
            // Without the option, the profile is the default one.
            let set = if option.is_empty() { "default_profile = 'company'\n" } else { "" };
            let config = person.text(CONFIG);
            let config = config.trim_start_matches("default_profile = 'company'\n").to_owned();
            person.write(CONFIG, &format!("{set}{config}"));
            person.run(&format!("configure git{option}")).assert().success();
            for host in HOSTS {
                assert_eq!(password(host).as_deref(), Some(company.trim_end()), "{folder} {host}");
            }
            person.run(&format!("unconfigure git{option}")).assert().success();
            assert!(!person.file(".gitconfig").exists());
        }
        person.run("--profile codex configure git").assert().success();
        assert_eq!(password("chatgpt.com"), Some(codex.access_token));
    }
}

#[test]
fn the_written_command_names_the_profile() {
    for folder in ["bin", ODD] {
        let person = person(folder, "");
        let login = ["login", "--profile", "company", "--wait", "30s"];
        assert!(person.answer(&person.program, &login, "").status.success());
        let get = ["get", "--profile", "company", "--format", "token"];
        let token = person.answer(&person.program, &get, "").stdout;
        for (option, variable) in [(" --profile company", ""), ("", "company")] {
            let run = |line: &str| {
                let mut command = person.run(&format!("{line}{option}"));
                command.env("CODEX_CREDENTIAL_PROFILE", variable).assert().success()
            };
            let url = "--base-url https://b.example/v1";
            run("configure claude-code");
            run(&format!("configure pi {url}"));
            run(&format!("configure codex {url}"));
            let read = |name| serde_json::from_str::<Value>(&person.text(name)).unwrap();
            let claude = read(".claude/settings.json")["apiKeyHelper"].as_str().unwrap().to_owned();
            let pi = read(".pi/agent/models.json")["providers"]["openai-codex"]["apiKey"].clone();
            for command in [claude.as_str(), pi.as_str().unwrap().strip_prefix('!').unwrap()] {
                let output = person.answer(Path::new("/bin/sh"), &["-c", command], "");
                assert_eq!(output.stdout, token, "{command}");
            }
            let codex: toml::Table = person.text(".codex/config.toml").parse().unwrap();
            let auth = &codex["model_providers"]["codex-credential"]["auth"];
            let args: Vec<&str> =
                auth["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
            assert_eq!(args, ["get", "--format", "token", "--profile", "company"]);
            let command = Path::new(auth["command"].as_str().unwrap());
            assert_eq!(person.answer(command, &args, "").stdout, token);
            // It is ours without the profile, too, and is written anew for another one.
            person.run("configure claude-code").assert().success();
            assert!(!person.text(".claude/settings.json").contains("--profile"));
            for tool in ["claude-code", "pi", "codex"] {
                person.run(&format!("unconfigure {tool}")).assert().success();
            }
            assert!(!person.file(".codex/config.toml").exists());
            assert!(!person.file(".claude/settings.json").exists());
        }
    }
}

#[test]
fn a_token_of_the_profile_goes_to_its_hosts_alone() {
    let person = person("bin", "");
    for line in ["codex", "pi", "codex --base-url https://chatgpt.com/v1"] {
        let refused = person.run(&format!("configure {line} --profile company")).assert().code(2);
        refused.stderr(contains("the token is not for").and(contains("b.example")));
    }
    let refused = person.run("configure codex --base-url https://b.example/v1").assert().code(2);
    refused.stderr(contains("the token is not for"));
}

#[test]
fn bazel_gets_the_token_of_the_profile_by_the_written_command() {
    let person = person("bin with a blank", "default_profile = 'company'");
    assert!(person.answer(&person.program, &["login", "--wait", "30s"], "").status.success());
    let token = person.answer(&person.program, &["get", "--format", "token"], "").stdout;
    let token = String::from_utf8(token).unwrap();
    person.run("configure bazel").assert().success();
    let text = person.text(".bazelrc");
    let mut flags =
        text.lines().filter_map(|line| line.split_once("--credential_helper=c.example="));
    let (_, helper) = flags.next_back().unwrap();
    let helper = Path::new(helper.trim_end_matches('\''));
    let request = json!({"uri": "HTTPS://c.example:8443/x"}).to_string();
    let answer = person.answer(helper, &["get"], &request);
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["headers"]["Authorization"][0], format!("Bearer {}", token.trim_end()));
}

#[test]
fn a_profile_without_hosts_or_of_no_name_is_refused() {
    let person = person("bin", "");
    for tool in ["git", "docker", "bazel"] {
        let refused = person.run(&format!("configure {tool} --profile idle")).assert().code(2);
        refused.stderr(contains("the profile idle has no hosts").and(contains("hint: ")));
        person.run(&format!("configure {tool} --profile compani")).assert().code(2);
    }
    assert_eq!(fs::read_dir(&person.home).unwrap().count(), 1, "config.toml alone");
}

#[test]
fn each_profile_has_a_timer_of_its_own() {
    let person = person("bin", "");
    let shown = |line: &str| {
        let shown = person.run(line).assert().success();
        String::from_utf8(shown.get_output().stdout.clone()).unwrap()
    };
    let company = shown("configure keepalive --print --profile company");
    assert!(company.contains("/codex-credential-keepalive-company.timer\n"), "{company}");
    assert!(company.contains(" renew --profile company\n"), "{company}");
    let own = shown("configure keepalive --print");
    assert!(own.contains("/codex-credential-keepalive.timer\n") && !own.contains("--profile"));
}
