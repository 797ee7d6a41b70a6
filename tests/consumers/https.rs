//! Tools that require https, behind a [`Gate`].

use crate::gate::Gate;
use crate::machine::{Machine, recipe};
use crate::tools::{self, Outcome};
use std::fs;

/// Docker without an engine: the client itself gets the manifest, as `docker pull` does first.
pub fn docker(machine: &Machine) -> Outcome {
    let gate = Gate::of(machine);
    let bin = tools::home(machine).join("bin");
    fs::create_dir(&bin).unwrap();
    for name in ["codex-credential", "codex-credential-full"] {
        fs::copy(tools::helper().with_file_name(name), bin.join(name)).unwrap();
    }
    let program = bin.join("codex-credential");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let docker = || {
        let mut docker = gate.command(machine, tools::program("REAL_DOCKER").unwrap());
        docker.args(["manifest", "inspect", "chatgpt.com/image:1"]).env("PATH", &path);
        docker.output().unwrap()
    };
    let refused = docker();
    assert!(
        tools::said(&refused).contains("no basic auth credentials"),
        "{}",
        tools::said(&refused)
    );
    tools::configure(machine, &program, "docker");
    let output = docker();
    let manifest = String::from_utf8_lossy(&output.stdout);
    if manifest.contains("\"schemaVersion\"") { Ok(()) } else { Err(tools::said(&output)) }
}

/// kubectl with the recipe of its page. The API server is the model, which answers a POST.
pub fn kubectl(machine: &Machine) -> Outcome {
    let gate = Gate::of(machine);
    let blocks = recipe("kubectl", "bash", tools::helper());
    let [recipe, undo] = blocks.as_slice() else { panic!("the recipe and how to undo it") };
    let mut bash = gate.command(machine, "bash");
    let script = r#"
        export KUBECONFIG=$HOME/kubeconfig
        kubectl() { "$KUBECTL" "$@"; }
        kubectl config set-cluster cluster --server=https://chatgpt.com --certificate-authority="$SSL_CERT_FILE"
        kubectl config set-context cluster --cluster=cluster
        kubectl config use-context cluster
        eval "$RECIPE"
        echo '{"model": "gpt-5"}' >body.json
        kubectl create --raw /v1/responses -f body.json
        eval "$UNDO"
        ! grep -q codex-credential "$KUBECONFIG"
    "#;
    bash.args(["-euo", "pipefail", "-c", script]).env("RECIPE", recipe).env("UNDO", undo);
    tools::answered(bash.env("KUBECTL", tools::program("REAL_KUBECTL").unwrap()), 1)
}
