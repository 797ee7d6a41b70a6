//! Every command that the documents show is run, on a person's machine whose server approves each login.

use crate::machine::Machine;
use predicates::str::contains;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What is not run here, by how it begins, and why.
const NOT_HERE: &[(&str, &str)] = &[
    ("cargo run --example demo", ".ci/run runs it; here it would build inside of a test"),
    ("cargo test", "this is it"),
    ("codex ", "needs the real Codex: tests/codex"),
    ("etcd ", "three hosts: tests/fleet starts such nodes"),
    ("age-keygen ", "Debian's age: tests/fleet"),
];

/// What a reader puts their own in the place of.
const ISSUER: &str = "https://id.company.example";
const PROGRAM: &str = "/absolute/path/to/codex-credential";

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

/// The commands of each fenced block: what follows `$ ` in a `console`, and all of an `sh`.
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

/// A person with both programs, a home, git, and a login; each login that is asked for is approved.
fn person() -> (Machine, PathBuf) {
    let mut machine = Machine::with(|s| {
        s.client_id = None;
        s.auto_approve = Some(Duration::ZERO);
    });
    machine.sign_in(3600);
    let bin = machine.path("bin");
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

/// Options in brackets may be left out.
fn without_options(command: &str) -> String {
    let mut parts = command.split(" [--");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |all, part| all + part.split_once(']').map_or("", |(_, rest)| rest))
}

fn is_run_here(command: &str) -> bool {
    !NOT_HERE.iter().any(|(begins, _)| command.starts_with(begins))
}

fn run(block: &Block) {
    let (machine, program) = person();
    let commands = block.commands.iter().filter(|command| is_run_here(command));
    let script: Vec<String> = commands.map(|command| without_options(command)).collect();
    let script = script.join("\n");
    let script = script.replace(PROGRAM, program.to_str().unwrap());
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
fn every_command_that_the_documents_show_works_as_written() {
    let blocks = blocks();
    assert!(blocks.iter().flat_map(|block| &block.commands).count() > 30, "they were found");
    blocks.iter().for_each(run);
}

#[test]
fn no_exception_is_for_a_command_that_no_document_shows() {
    let blocks = blocks();
    let mut commands = blocks.iter().flat_map(|block| &block.commands);
    for (begins, why) in NOT_HERE {
        assert!(commands.clone().any(|command| command.starts_with(begins)), "{begins}: {why}");
    }
    assert!(commands.any(|command| is_run_here(command)));
}

/// Also where the login could answer at once.
#[test]
fn an_option_that_is_said_twice_is_a_mistake() {
    let (machine, _) = Machine::signed_in(864_000);
    let output = machine.command("get --format token --format json").assert().code(2);
    output.stderr(contains("--format"));
}
