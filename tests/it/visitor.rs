//! A user with a browser that runs no scripts: opens a page of the authorization server, decides, and goes where it is sent.

use crate::gateway::Gateway;
use crate::machine::{Machine, PATIENCE, eventually};
use issuer::Account;
use serde_json::Value;
use ureq::Agent;

fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.max_redirects_will_error(false).timeout_global(Some(PATIENCE)).build().into()
}

/// Returns the status and the text of a page, or `None` if nobody answers.
pub fn get(url: &str) -> Option<(u16, String)> {
    let mut answer = agent().get(url).call().ok()?;
    Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
}

/// Decides on the page of an authorization request. Returns the address that the browser is sent to.
pub fn decide(page: &str, account: &Account, decision: &str) -> String {
    let (status, text) = get(page).unwrap();
    assert_eq!(status, 200, "{text}");
    let request = text.split("name=\"request\" value=\"").nth(1).unwrap();
    let request = request.split('"').next().unwrap();
    let form = [("request", request), ("account", &account.account_id), ("decision", decision)];
    let answer = agent().post(page.split('?').next().unwrap()).send_form(form).unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// Approves, and returns the status and text of the page at the end.
pub fn approve(page: &str, account: &Account) -> (u16, String) {
    get(&decide(page, account, "approve")).expect("somebody listens")
}

/// Returns the parameter `name` of a URL.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

/// Waits for a pending sign-in, and returns the address of its page.
pub fn pending_page(machine: &Machine, options: &str) -> String {
    let pending = || {
        let output = machine.command(&format!("status --json {options}")).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["pending"]["verification_uri"].as_str().map(str::to_owned)
    };
    eventually(|| pending().is_some());
    pending().unwrap()
}

pub fn page_of(gateway: &Gateway) -> String {
    pending_page(&gateway.machine, "--profile company")
}

/// Creates a machine that shares Codex's login and has a client id of its own, whose browser may come back to any port.
pub fn machine() -> Machine {
    let mut machine = Machine::with(|s| s.client_id = None);
    machine.set("CODEX_CREDENTIAL_CLIENT_ID", "app_other");
    machine
}
