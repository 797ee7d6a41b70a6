//! Codex with our program as the token command of a model provider, as `configure codex` writes it.

use crate::codex;
use crate::machine::{Machine, PATIENCE};
use std::fs;
use std::path::Path;

fn exec(machine: &Machine) -> std::process::Output {
    let choice = ["-c", "model_provider=codex-credential"];
    codex::start_exec_with(machine, &choice).wait_with_output().unwrap()
}

/// A program in a folder whose name needs quotes.
pub fn codex_runs_a_program_in_an_oddly_named_folder() {
    let machine = Machine::new();
    let tokens = machine.sign_in(864_000);
    codex::configure(&machine, "file");
    let folder =
        machine.path("odd 'name' \"of\" a $HOME $(id) `id` 100% !x; # \\ \\n f\u{f6}lder\\");
    fs::create_dir(&folder).unwrap();
    let configure = machine.std_command("");
    let built = Path::new(configure.get_program()).to_owned();
    for name in ["codex-credential", "codex-credential-full"] {
        let (from, into) = (built.with_file_name(name), folder.join(name));
        fs::hard_link(&from, &into).or_else(|_| fs::copy(&from, &into).map(drop)).unwrap();
    }
    let mut odd = std::process::Command::new(folder.join("codex-credential"));
    for (name, value) in configure.get_envs() {
        odd.env(name, value.unwrap());
    }
    let url = format!("{}/v1", machine.issuer.url());
    odd.args(["configure", "codex", "--base-url", &url]);
    assert!(odd.status().unwrap().success());
    let output = exec(&machine);
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.trim_end().ends_with("OK"), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens.access_token);
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

/// The header that Codex sends with its own login, in Codex's strict mode, which refuses unknown settings.
pub fn provider_sends_the_account_header() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    let tokens = machine.sign_in(3600);
    let url = machine.issuer.url();
    machine.command(&format!("configure codex --base-url {url}/v1")).assert().success();
    let choice = ["-p", "codex-credential", "--strict-config"];
    assert!(codex::answered(codex::start_exec_with(&machine, &choice)));
    let log = machine.issuer.log();
    let asked: Vec<_> = log.iter().filter(|entry| entry.path == "/v1/responses").collect();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|entry| entry.account_id.as_ref() == Some(&tokens.account_id)));
    // Without an account the table is empty.
    fs::remove_file(machine.path("auth.json")).unwrap();
    machine.command(&format!("configure codex --base-url {url}/v1")).assert().success();
    assert!(
        fs::read_to_string(machine.path("config.toml")).unwrap().contains("http_headers = {}\n")
    );
    machine.sign_in(3600);
    assert!(codex::answered(codex::start_exec_with(&machine, &choice)));
}
