//! The recipes in helpers/ that need only a shell and curl. tests/consumers runs all of them with the real tools.

use crate::configure::{ODD, install};
use crate::machine::{Machine, recipe};
use codex_credential::quote;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Installs the programs in a folder whose name needs quotes.
fn program(machine: &Machine) -> PathBuf {
    let folder = machine.path(ODD);
    fs::create_dir(&folder).unwrap();
    let built = assert_cmd::cargo::cargo_bin!("codex-credential");
    install(built.parent().unwrap(), &folder)
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
    let program = program(&machine);
    let model = format!("{}/v1/responses", machine.issuer.url());
    let recipe = recipe("curl", "bash", &program).concat().replace("https://chatgpt.com/…", &model);
    let curl = r#"curl() { command curl -sS --fail --json '{"model": "gpt-5"}' "$@"; }"#;
    let answer = bash(&machine, &format!("{curl}\n{recipe}"));
    assert!(answer.contains("\"text\":\"OK\""), "{answer}");
    let counts = machine.issuer.counts();
    assert_eq!((counts.responses, counts.responses_refused), (1, 0));
}

#[test]
fn opencode_recipe_renews_a_token_that_expires_within_the_day() {
    let machine = Machine::new();
    let program = program(&machine);
    let tokens = machine.aged_sign_in(3600, 9 * 24 * 3600);
    let recipe =
        recipe("opencode", "bash", &program).concat().replace("get --", "get --wait 20s --");
    let started =
        bash(&machine, &format!("opencode() {{ printenv CODEX_CREDENTIAL_TOKEN; }}\n{recipe}"));
    assert!(started.starts_with("eyJ"));
    assert_ne!(started.trim_end(), tokens.access_token, "the recipe asks for more than an hour");
    let config = crate::machine::recipe("opencode", "json", &program).concat();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["provider"]["NAME"]["options"]["apiKey"], "{env:CODEX_CREDENTIAL_TOKEN}");
}

/// Runs a recipe in a language whose SDK is replaced by a class that prints the key.
fn key_of(machine: &Machine, interpreter: &str, extension: &str, script: &str) -> Option<String> {
    let file = machine.path(&format!("recipe.{extension}"));
    fs::write(&file, script).unwrap();
    let mut command = Command::new(interpreter);
    for (name, value) in machine.std_command("").get_envs() {
        command.env(name, value.unwrap());
    }
    let Ok(output) = command.arg(file).output() else {
        eprintln!("skipped: {interpreter} is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn python_and_javascript_recipes_get_the_token_of_a_program_in_an_odd_folder() {
    let (machine, tokens) = Machine::signed_in(3600);
    let program = program(&machine);
    let python = recipe("openai-python", "python", &program).concat();
    let python = python.replace(
        "from openai import OpenAI",
        "class OpenAI:\n    def __init__(self, base_url, api_key):\n        print(api_key())\n",
    );
    let js = recipe("openai-js", "js", &program).concat();
    let js = js.replace(
        "import OpenAI from 'openai';",
        "class OpenAI { constructor(options) { options.apiKey().then(console.log); } }",
    );
    for (interpreter, extension, script) in [("python3", "py", python), ("node", "mjs", js)] {
        if let Some(key) = key_of(&machine, interpreter, extension, &script) {
            assert_eq!(key, tokens.access_token, "{interpreter}");
        }
    }
}

#[test]
fn kubectl_recipe_passes_the_path_of_a_program_in_an_odd_folder() {
    let machine = Machine::new();
    let program = program(&machine);
    let recipe = recipe("kubectl", "bash", &program).concat();
    let arguments = bash(&machine, &format!("kubectl() {{ printf '%s\\n' \"$@\"; }}\n{recipe}"));
    let command = format!("--exec-command={}", program.display());
    assert!(arguments.lines().any(|argument| argument == command), "{arguments}");
}

/// A secret store in a file, and a Codex that prints the token it would send.
fn ci(machine: &Machine, program: &Path, recipe: &str) -> String {
    let functions = format!(
        "gh() {{ [ \"$*\" = 'secret set CODEX_AUTH_JSON' ] && cat >{secret}; }}\n\
         codex() {{ {program} token --interactive never; }}\n\
         export TMPDIR={folder}\nCODEX_AUTH_JSON=$(cat {secret} || true)\n",
        folder = quote::shell_path(machine.codex_home()),
        secret = quote::shell_path(&machine.path("secret")),
        program = quote::shell_path(program),
    );
    bash(machine, &format!("{functions}{recipe}")).trim_end().to_owned()
}

#[test]
fn ci_job_gets_an_access_token_from_the_export_of_another_machine() {
    let (machine, tokens) = Machine::signed_in(24 * 3600);
    let program = program(&machine);
    let recipes = recipe("ci", "bash", &program);
    ci(&machine, &program, &recipes[0]);
    let secret = fs::read_to_string(machine.path("secret")).unwrap();
    assert!(secret.contains(&tokens.access_token) && !secret.contains(&tokens.refresh_token));
    assert_eq!(ci(&machine, &program, &recipes[1]), tokens.access_token);
}

#[test]
fn ci_job_renews_its_own_login_once_and_writes_it_back() {
    let machine = Machine::new();
    let tokens = machine.aged_sign_in(10 * 60, 3600);
    let program = program(&machine);
    let job = &recipe("ci", "bash", &program)[2];
    fs::rename(machine.path("auth.json"), machine.path("secret")).unwrap();
    let first = ci(&machine, &program, job);
    assert_ne!(first, tokens.access_token);
    assert_eq!(ci(&machine, &program, job), first);
    let secret = fs::read_to_string(machine.path("secret")).unwrap();
    let secret: serde_json::Value = serde_json::from_str(&secret).unwrap();
    let refresh_token = secret["tokens"]["refresh_token"].as_str().unwrap();
    assert!(machine.issuer.is_live_refresh_token(refresh_token));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
