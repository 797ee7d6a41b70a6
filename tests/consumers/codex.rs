//! The real Codex CLI with a model provider whose `auth.command` we are.

use crate::machine::Machine;
use crate::tools;
use std::fs;
use std::path::Path;
use std::process::Command;

fn configure(machine: &Machine, home: &Path, command: &str, args: &[&str]) {
    let url = machine.issuer.url();
    let config = format!(
        "model = \"gpt-5\"\n\
         model_provider = \"x\"\n\
         chatgpt_base_url = \"{url}/backend-api\"\n\
         [model_providers.x]\n\
         name = \"x\"\n\
         base_url = \"{url}/v1\"\n\
         wire_api = \"responses\"\n\
         [model_providers.x.auth]\n\
         command = {command:?}\n\
         args = {args:?}\n\
         [analytics]\n\
         enabled = false\n"
    );
    fs::create_dir_all(home).unwrap();
    // Another Codex may be reading the file.
    let fresh = tempfile::NamedTempFile::new_in(home).unwrap();
    fs::write(&fresh, config).unwrap();
    fresh.persist(home.join("config.toml")).unwrap();
}

fn exec(machine: &Machine, home: &Path) -> Command {
    let mut codex = tools::command(machine, tools::program("REAL_CODEX").unwrap());
    codex.args(["exec", "--skip-git-repo-check", "Return OK."]).env("CODEX_HOME", home);
    let url = machine.issuer.url();
    codex.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", format!("{url}/oauth/token"));
    codex.env("CODEX_REVOKE_TOKEN_URL_OVERRIDE", format!("{url}/oauth/revoke"));
    codex
}

/// Prepares Codex with our CODEX_HOME, as the page in helpers/ says.
pub fn sharing(machine: &Machine) -> Command {
    let helper = tools::helper().to_str().unwrap();
    configure(machine, machine.codex_home(), helper, &["get", "--format", "token"]);
    exec(machine, machine.codex_home())
}

/// Prepares Codex with another CODEX_HOME, which has no login. If Codex finds a login that expires within five minutes,
/// it refreshes before each request, dozens of times in one run. Without a login, it can only ask us.
pub fn apart(machine: &Machine) -> Command {
    let home = tools::home(machine).join("codex");
    let ours = format!("CODEX_HOME={}", machine.codex_home().display());
    let helper = tools::helper().to_str().unwrap();
    configure(machine, &home, "/usr/bin/env", &[&ours, helper, "get", "--format", "token"]);
    exec(machine, &home)
}
