//! Runs every command that the documents show, on a machine whose authorization server approves each sign-in. Checks the
//! help.

use crate::configure::ODD;
use crate::machine::{Machine, fill_in};
use clap::CommandFactory;
use codex_credential::cli::Cli;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The beginnings of commands that are not run here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run --example demo", "builds the program; .ci/run runs it"),
    ("cargo test", "runs this test"),
    ("codex ", "needs the real Codex: tests/codex runs it"),
    ("etcd ", "needs three hosts: tests/fleet starts them"),
    ("age-keygen ", "needs age: tests/fleet runs it"),
];

/// A placeholder that readers replace.
const ISSUER: &str = "https://id.company.example";

struct Block {
    document: PathBuf,
    commands: Vec<String>,
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    for folder in ["docs", "helpers"] {
        found.extend(crate::machine::files(&root.join(folder)));
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found
}

/// Returns the commands of each fenced block: the lines after `$ ` in `console`, all lines in `sh`.
fn blocks() -> Vec<Block> {
    let mut found = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for fenced in text.split("\n```").skip(1).step_by(2) {
            let (language, body) = fenced.split_once('\n').unwrap();
            let body = body.replace("\\\n", "");
            let commands: Vec<String> = match language {
                "console" => body.lines().filter_map(|line| line.strip_prefix("$ ")).collect(),
                "sh" => body.lines().collect::<Vec<_>>(),
                _ => continue,
            }
            .into_iter()
            .map(str::to_owned)
            .collect();
            assert!(!commands.is_empty(), "{}: no command in {body}", document.display());
            found.push(Block { document: document.clone(), commands });
        }
    }
    found
}

/// Returns a machine with both programs in an odd folder, a home directory, git and a login. Each sign-in is approved.
fn machine_and_program() -> (Machine, PathBuf) {
    let mut machine = Machine::with(|s| {
        s.client_id = None;
        s.auto_approve = Some(Duration::ZERO);
    });
    machine.sign_in(3600);
    let server = "[mcp_servers.tools]\nurl = \"https://chatgpt.com/mcp\"\n";
    fs::write(machine.path("config.toml"), server).unwrap();
    let bin = machine.path(ODD);
    fs::create_dir(&bin).unwrap();
    let built = assert_cmd::cargo::cargo_bin!("codex-credential");
    let program = crate::configure::install(built.parent().unwrap(), &bin);
    let home = machine.codex_home().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    machine.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    for (variable, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_RUNTIME_DIR", "run")] {
        let folder = machine.path(folder).to_str().unwrap().to_owned();
        machine.set(variable, &folder);
    }
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    machine.set("TOKEN", &token);
    (machine, program)
}

/// Removes the options in brackets.
fn without_options(command: &str) -> String {
    let mut parts = command.split(" [--");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |all, part| all + part.split_once(']').map_or("", |(_, rest)| rest))
}

fn is_run(command: &str) -> bool {
    !NOT_RUN.iter().any(|(begins, _)| command.starts_with(begins))
}

fn run(block: &Block) {
    let (machine, program) = machine_and_program();
    let commands = block.commands.iter().filter(|command| is_run(command));
    let script: Vec<String> = commands.map(|command| without_options(command)).collect();
    let script = script.join("\n");
    let script = fill_in(&script, "sh", &program);
    let script = script.replace(ISSUER, &machine.issuer.url());
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &script]).env_clear();
    for (name, value) in machine.std_command("").get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.current_dir(machine.codex_home()).output().unwrap();
    assert!(
        output.status.success(),
        "{}:\n{script}\n{}",
        block.document.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_documented_command_succeeds() {
    let blocks = blocks();
    assert!(
        blocks.iter().flat_map(|block| &block.commands).count() > 30,
        "the commands were found"
    );
    blocks.iter().for_each(run);
}

#[test]
fn every_exception_is_for_a_documented_command() {
    let blocks = blocks();
    let mut commands = blocks.iter().flat_map(|block| &block.commands);
    for (begins, why) in NOT_RUN {
        assert!(commands.clone().any(|command| command.starts_with(begins)), "{begins}: {why}");
    }
    assert!(commands.any(|command| is_run(command)));
}

/// Calls `check` with each command that a user can run, and its full name.
fn for_each_command(command: &clap::Command, name: &str, check: &impl Fn(&clap::Command, &str)) {
    check(command, name);
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        for_each_command(command, &format!("{name} {}", command.get_name()), check);
    }
}

#[test]
fn every_command_and_option_has_a_help_sentence() {
    for_each_command(&Cli::command(), "codex-credential", &|command, name| {
        assert!(command.get_about().is_some(), "{name}");
        for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            let name = format!("{name} {}", option.get_id());
            assert!(help.starts_with(char::is_uppercase), "{name}: {help:?}");
        }
    });
}

#[test]
fn main_help_lists_every_command_once() {
    let help = Cli::command().render_long_help().to_string();
    for command in Cli::command().get_subcommands() {
        let entry = format!("  {} ", command.get_name());
        assert_eq!(help.lines().filter(|line| line.starts_with(&entry)).count(), 1, "{entry}");
    }
}

#[test]
fn token_command_reads_no_request() {
    let (machine, tokens) = Machine::signed_in(3600);
    let output = machine.command("token").write_stdin("protocol=https\nhost=a.example\n").assert();
    output.success().stdout(format!("{}\n", tokens.access_token));
}
