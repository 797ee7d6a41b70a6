//! The real Codex CLI and a gateway that checks each token by introspection at the identity provider.

use crate::browser;
use crate::home::{Home, PROFILE, program};
use crate::machine::eventually;
use crate::provider::{GATEWAY, Kind, Provider};
use issuer::{Introspection, Issuer};
use std::fs;
use std::process::{Command, Output};

fn gateway(provider: &Provider) -> Issuer {
    let introspection = Introspection {
        url: provider.endpoints.introspection_endpoint.clone(),
        client_id: GATEWAY.0.into(),
        client_secret: GATEWAY.1.into(),
    };
    Issuer::builder().set(|settings| settings.introspection = Some(introspection)).start()
}

/// Runs `codex exec` with the gateway as its model provider. `timeout` ends it, because Codex waits forever for a
/// server that is down.
fn run_codex(home: &Home, gateway: &Issuer) -> Output {
    let url = gateway.url();
    let config = format!(
        "model = \"gpt-5\"\n\
         model_provider = \"company\"\n\
         chatgpt_base_url = \"{url}/backend-api\"\n\
         [model_providers.company]\n\
         name = \"company\"\n\
         base_url = \"{url}/v1\"\n\
         wire_api = \"responses\"\n\
         [model_providers.company.auth]\n\
         command = {:?}\n\
         args = [\"get\", \"--profile\", \"{PROFILE}\", \"--format\", \"token\"]\n\
         [analytics]\n\
         enabled = false\n",
        program()
    );
    fs::write(home.path("codex/config.toml"), config).unwrap();
    let mut codex = Command::new("timeout");
    codex.arg("60").arg(std::env::var_os("REAL_CODEX").unwrap());
    codex.args(["exec", "--skip-git-repo-check", "Return OK."]).current_dir(home.path("codex"));
    home.set_environment(&mut codex);
    // Nothing listens at this proxy address, so requests that would leave the machine fail.
    codex.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1,localhost");
    codex.output().unwrap()
}

fn text(output: &Output) -> String {
    [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).concat()
}

pub fn gateway_accepts_the_token_until_logout(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let gateway = gateway(&provider);
    let home = Home::new(&provider);

    // Without a login, Codex sends its request without a token and shows the error of this program. The sign-in continues
    // in the background.
    let output = run_codex(&home, &gateway);
    assert!(!output.status.success(), "{}", text(&output));
    let first_output = text(&output);
    provider.decide(browser::invitation(&first_output), "ada", "approve");
    eventually(|| home.run("get --interactive never --format token").status.success());

    let before = gateway.counts();
    assert_eq!(before.responses, before.responses_refused);
    let output = run_codex(&home, &gateway);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), "OK");
    let counts = gateway.counts();
    assert_eq!(counts.responses, before.responses + 1);
    assert_eq!(counts.responses_refused, before.responses_refused);

    // After logout, the gateway refuses the token.
    let token = home.token();
    assert_eq!(provider.granted(), [token.as_str()]);
    assert!(home.run("logout").status.success());
    let request = ureq::post(gateway.url() + "/v1/responses");
    let answer = request
        .header("Authorization", format!("Bearer {token}"))
        .config()
        .http_status_as_error(false)
        .build()
        .send_json(serde_json::json!({ "model": "gpt-5" }));
    assert_eq!(answer.unwrap().status(), 401);
    assert_eq!(gateway.counts().responses_refused, counts.responses_refused + 1);
}
