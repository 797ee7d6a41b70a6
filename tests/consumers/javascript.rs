//! Tools that npm installs.

use crate::machine::{Machine, recipe};
use crate::tools::{self, Outcome};
use std::fs;

/// Five requests by the client on the page.
pub fn openai_js(machine: &Machine) -> Outcome {
    let model = format!("{}/v1", machine.issuer.url());
    let recipe =
        recipe("openai-js", "js", tools::helper()).concat().replace("https://…/v1", &model);
    let script = tools::home(machine).join("ask.mjs");
    let ask = "for (let i = 0; i < 5; i++) {\n  \
               const answer = await client.responses.create({ model: 'gpt-5', input: 'Return OK.' });\n  \
               console.log(answer.output_text);\n}\n";
    fs::write(&script, recipe + ask).unwrap();
    // Node does not use NODE_PATH for ES modules.
    let modules = tools::home(machine).join("node_modules");
    let _ = std::os::unix::fs::symlink(tools::program("NODE_PATH").unwrap(), modules);
    let mut node = tools::command(machine, "node");
    tools::answered(node.arg(script), 5)
}

pub fn pi(machine: &Machine) -> Outcome {
    let url = format!("pi --base-url {}/backend-api", machine.issuer.url());
    tools::configure(machine, tools::helper(), &url);
    let mut pi = tools::command(machine, tools::program("REAL_PI").unwrap());
    pi.args(["--provider", "openai-codex", "--model", "gpt-5.1-codex", "-p", "Return OK."]);
    tools::answered(&mut pi, 1)
}

/// The recipe of the page: a provider in the configuration, and a command that starts opencode with a token.
pub fn opencode(machine: &Machine) -> Outcome {
    let provider = recipe("opencode", "json", tools::helper()).concat();
    let model = format!("{}/v1", machine.issuer.url());
    let provider = provider.replace("https://…/v1", &model).replace("MODEL", "gpt-5");
    let folder = tools::home(machine).join(".config/opencode");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("opencode.json"), provider).unwrap();
    let mut bash = tools::command(machine, "bash");
    let start = recipe("opencode", "bash", tools::helper()).concat();
    let script = format!(
        "opencode() {{ \"$OPENCODE\" run --model NAME/gpt-5 'Return OK.'; }}\nexport CODEX_CREDENTIAL_TOKEN\n{start}"
    );
    bash.args(["-euo", "pipefail", "-c", &script])
        .env("OPENCODE", tools::program("REAL_OPENCODE").unwrap());
    bash.env("OPENCODE_DISABLE_AUTOUPDATE", "1").env("OPENCODE_DISABLE_MODELS_FETCH", "1");
    tools::answered(&mut bash, 1)
}
