//! Codex with our program as the token command of a model provider, as `configure codex` writes it.

use crate::codex;
use crate::machine::{Machine, PATIENCE};

fn exec(machine: &Machine) -> std::process::Output {
    let provider = ["-c", "model_provider=codex-credential"];
    let exec = ["exec", "--skip-git-repo-check", "Return OK."];
    let mut command = codex::command(machine, &[&provider[..], &exec[..]].concat());
    command.env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url()).output().unwrap()
}

/// What Codex shows is enough for the user to sign in.
pub fn codex_without_login_shows_url_and_code_and_works_after_approval() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let url = machine.issuer.url();
    machine.command(&format!("configure codex --base-url {url}/v1")).assert().success();
    let first = exec(&machine);
    assert!(!first.status.success());
    let says = String::from_utf8_lossy(&first.stderr);
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    assert!(says.contains(&format!("{url}/codex/device")) && says.contains(&code), "{says}");
    // A second try shows the same code.
    assert!(!exec(&machine).status.success());
    machine.issuer.approve(&code);
    machine.token();
    let second = exec(&machine);
    let answer = String::from_utf8_lossy(&second.stdout);
    assert!(answer.trim_end().ends_with("OK"), "{}", String::from_utf8_lossy(&second.stderr));
    let counts = machine.issuer.counts();
    // Without a token Codex still sends requests to the model.
    println!(
        "2 codex exec with nobody signed in: {} user codes, {} requests without a token",
        counts.user_codes, counts.responses_refused
    );
    assert_eq!((counts.user_codes, counts.exchanges), (1, 1));
}
