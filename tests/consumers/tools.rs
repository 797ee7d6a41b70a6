//! The tools, called as their pages in helpers/ say, on a [`Machine`] whose network is loopback.

use crate::codex;
use crate::machine::{Machine, recipe};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Returns the path of a program that `.ci/consumers` installed.
pub fn program(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}

/// Returns the home folder of all tools.
pub fn home(machine: &Machine) -> PathBuf {
    let home = machine.path("home");
    fs::create_dir_all(&home).unwrap();
    home
}

pub fn helper() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("codex-credential")
}

/// Prepares a program under `timeout`, because Codex waits forever for a server that is down. There is no server at
/// the proxy's address, so a request that would leave the machine fails.
pub fn command(machine: &Machine, program: impl Into<OsString>) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program.into()).env_clear();
    for name in ["PATH", "NODE_PATH", "REAL_BROWSER"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let home = home(machine);
    command.env("HOME", &home).env("CODEX_HOME", machine.codex_home()).current_dir(home);
    command.env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url());
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1,localhost");
    command.env("HELPER", helper()).env("MODEL", format!("{}/v1", machine.issuer.url()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The error is everything that the program printed.
pub type Outcome = Result<(), String>;

/// Runs `program configure LINE`.
pub fn configure(machine: &Machine, program: &Path, line: &str) {
    let mut configure = command(machine, program);
    let output = configure.arg("configure").args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Runs a program that has to print the model's answer `times`.
pub fn answered(command: &mut Command, times: usize) -> Outcome {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    // A random id may contain these letters.
    let words = stdout.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    let answers = words.filter(|word| *word == "OK").count();
    if output.status.success() && answers == times { Ok(()) } else { Err(said(&output)) }
}

/// Returns everything that a program printed, without tokens.
pub fn said(output: &Output) -> String {
    let Output { status, stdout, stderr } = output;
    let all = [stdout.as_slice(), stderr].map(String::from_utf8_lossy).concat();
    let mut parts = all.split("eyJ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest =
            part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c));
        text += "(a token)";
        text += rest;
    }
    format!("{status}: {text}")
}

fn script(machine: &Machine, script: &str) -> Outcome {
    let mut bash = command(machine, "bash");
    bash.args(["-euo", "pipefail", "-c", script]);
    answered(&mut bash, 1)
}

/// The recipe of the page, with a request to the model.
pub fn curl(machine: &Machine) -> Outcome {
    let recipe = recipe("curl", "bash", helper()).concat();
    let recipe = recipe.replace("https://chatgpt.com/…", r#""$MODEL/responses""#);
    let curl = r#"curl() { command curl -sS --fail --json '{"model": "gpt-5"}' "$@"; }"#;
    script(machine, &format!("{curl}\n{{ {recipe} }} | grep -o '\"text\":\"OK\"'"))
}

/// `git credential fill` with the helper for the host. The model accepts the password.
pub fn git(machine: &Machine) -> Outcome {
    let section =
        format!("[credential \"https://chatgpt.com\"]\nhelper = {}\n", helper().display());
    fs::write(home(machine).join("git"), section).unwrap();
    script(
        machine,
        r#"
        export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$HOME/git GIT_TERMINAL_PROMPT=0
        filled=$(printf 'protocol=https\nhost=chatgpt.com\n\n' | git credential fill)
        sed -n 's/^password=/Authorization: Bearer /p' <<<"$filled" |
            curl -sS --fail -H @- --json '{"model": "gpt-5"}' "$MODEL/responses" |
            grep -o '"text":"OK"'
        "#,
    )
}

/// Five requests by the client on the page, each with a token from its key function.
pub fn openai_python(machine: &Machine) -> Outcome {
    let model = format!("{}/v1", machine.issuer.url());
    let recipe =
        recipe("openai-python", "python", helper()).concat().replace("https://…/v1", &model);
    let ask = "client = client.with_options(max_retries=0)\nfor _ in range(5):\n    \
               print(client.responses.create(model='gpt-5', input='Return OK.').output_text)\n";
    let mut python = command(machine, program("REAL_OPENAI").unwrap());
    answered(python.args(["-c", &(recipe + ask)]), 5)
}

pub fn codex(machine: &Machine) -> Outcome {
    answered(&mut codex::apart(machine), 1)
}

pub fn claude_code(machine: &Machine) -> Outcome {
    let helper = format!("{} token", helper().display());
    let folder = home(machine).join("claude");
    fs::create_dir_all(&folder).unwrap();
    let settings = serde_json::json!({ "apiKeyHelper": helper });
    fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
    let mut claude = command(machine, program("REAL_CLAUDE").unwrap());
    claude.env("CLAUDE_CONFIG_DIR", folder).env("ANTHROPIC_BASE_URL", machine.issuer.url());
    for variable in ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER"] {
        claude.env(variable, "1");
    }
    claude.args(["-p", "Return OK."]);
    answered(&mut claude, 1)
}
