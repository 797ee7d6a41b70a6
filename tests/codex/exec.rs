//! `exec -- codex …`: Codex uses its login as if it were started without us.

use crate::codex;
use crate::machine::Machine;
use std::process::Output;

/// Runs `codex-credential exec -- codex …`.
fn run(machine: &Machine, arguments: &[&str]) -> Output {
    let real = codex::command(machine, arguments);
    let mut command = machine.std_command("exec --");
    for (name, value) in real.get_envs() {
        command.env(name, value.unwrap());
    }
    command.arg(real.get_program()).args(real.get_args());
    command.current_dir(machine.codex_home()).output().unwrap()
}

pub fn codex_under_exec_is_signed_in_and_sends_the_token() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    machine.sign_in(3600);
    let status = run(&machine, &["login", "status"]);
    let said = String::from_utf8(status.stderr).unwrap();
    assert!(status.status.success() && said.contains("Logged in using ChatGPT"), "{said}");
    let exec = run(&machine, &["exec", "--skip-git-repo-check", "Return OK."]);
    assert!(exec.status.success() && exec.stdout.ends_with(b"OK\n"));
    let log = machine.issuer.log();
    let asked: Vec<_> = log.iter().filter(|entry| entry.path == "/v1/responses").collect();
    let authorized = asked.iter().filter(|entry| entry.token.is_some()).count();
    println!(
        "exec -- codex exec: {} requests to the model, {authorized} with an Authorization header",
        asked.len()
    );
    assert!(authorized > 0 && authorized == asked.len());
    assert_eq!(machine.issuer.counts().responses_refused, 0);
}
