//! The real Codex CLI on a [`Machine`], limited to loopback.

use crate::machine::Machine;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

pub fn program() -> Option<PathBuf> {
    std::env::var_os("REAL_CODEX").map(PathBuf::from)
}

/// Returns what `codex --version` prints.
pub fn version() -> String {
    let output =
        Command::new(program().expect("the real Codex")).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Configures the model's URL and where Codex stores its login.
pub fn configure(machine: &Machine, store: &str) {
    let url = machine.issuer.url();
    let config = format!(
        "cli_auth_credentials_store = \"{store}\"\n\
         model = \"gpt-5\"\n\
         chatgpt_base_url = \"{url}/backend-api\"\n\
         openai_base_url = \"{url}/v1\"\n\
         [analytics]\n\
         enabled = false\n"
    );
    fs::write(machine.path("config.toml"), config).unwrap();
}

/// Runs Codex under `timeout`, because it waits forever for a server that is down. No proxy listens at the address, so
/// every connection beyond loopback fails.
pub fn command(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program().expect("the real Codex")).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", machine.codex_home()).env("CODEX_HOME", machine.codex_home());
    let url = machine.issuer.url();
    command.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", format!("{url}/oauth/token"));
    command.env("CODEX_REVOKE_TOKEN_URL_OVERRIDE", format!("{url}/oauth/revoke"));
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1,localhost");
    command.envs(machine.more_variables());
    command.current_dir(machine.codex_home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(machine: &Machine, arguments: &[&str]) -> Output {
    command(machine, arguments).output().unwrap()
}

/// Signs in with `codex login --device-auth`.
pub fn login(machine: &Machine) {
    let url = machine.issuer.url();
    let mut command = command(machine, &["login", "--device-auth", "--experimental_issuer", &url]);
    let login = command.spawn().unwrap();
    machine.approve_next();
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the line that `codex login status` prints, and whether it succeeded.
pub fn status(machine: &Machine) -> (String, bool) {
    let output = run(machine, &["login", "status"]);
    let says = String::from_utf8(output.stderr).unwrap();
    let line = says.lines().find(|line| !line.starts_with("WARNING")).unwrap_or_default();
    (line.to_owned(), output.status.success())
}

const EXEC: [&str; 3] = ["exec", "--skip-git-repo-check", "Return OK."];

pub fn start_exec(machine: &Machine) -> Child {
    command(machine, &EXEC).spawn().unwrap()
}

/// Starts `codex exec` with `choice` before it, and with this program as a token command that finds the machine's issuer.
pub fn start_exec_with(machine: &Machine, choice: &[&str]) -> Child {
    let mut command = command(machine, &[choice, &EXEC].concat());
    command.env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url()).spawn().unwrap()
}

/// Whether `codex exec` got an answer from the model.
pub fn answered(exec: Child) -> bool {
    let output = exec.wait_with_output().unwrap();
    output.status.success() && String::from_utf8_lossy(&output.stdout).trim_end().ends_with("OK")
}

pub fn exec(machine: &Machine) -> bool {
    answered(start_exec(machine))
}
