//! The recipes in helpers/ that need only a shell and curl. tests/consumers runs all of them with the real tools.

use crate::machine::{Machine, recipe};
use std::path::Path;
use std::process::Command;

fn program() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("codex-credential")
}

/// Runs `script` in bash and returns its output.
fn bash(machine: &Machine, script: &str) -> String {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).env_clear().env("PATH", "/usr/bin:/bin");
    for (name, value) in machine.std_command("").get_envs() {
        bash.env(name, value.unwrap());
    }
    let output = bash.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn curl_recipe_sends_the_token() {
    let (machine, _) = Machine::signed_in(3600);
    let model = format!("{}/v1/responses", machine.issuer.url());
    let recipe =
        recipe("curl", "bash", program()).concat().replace("https://chatgpt.com/…", &model);
    let curl = r#"curl() { command curl -sS --fail --json '{"model": "gpt-5"}' "$@"; }"#;
    let answer = bash(&machine, &format!("{curl}\n{recipe}"));
    assert!(answer.contains("\"text\":\"OK\""), "{answer}");
    let counts = machine.issuer.counts();
    assert_eq!((counts.responses, counts.responses_refused), (1, 0));
}

#[test]
fn opencode_recipe_renews_a_token_that_expires_within_the_day() {
    let machine = Machine::new();
    let tokens = machine.aged_sign_in(3600, 9 * 24 * 3600);
    let recipe =
        recipe("opencode", "bash", program()).concat().replace("get --", "get --wait 20s --");
    let started =
        bash(&machine, &format!("opencode() {{ printenv CODEX_ACCESS_TOKEN; }}\n{recipe}"));
    assert!(started.starts_with("eyJ"));
    assert_ne!(started.trim_end(), tokens.access_token, "the recipe asks for more than an hour");
    let config = crate::machine::recipe("opencode", "json", program()).concat();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["provider"]["NAME"]["options"]["apiKey"], "{env:CODEX_ACCESS_TOKEN}");
}
