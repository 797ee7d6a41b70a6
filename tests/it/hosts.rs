//! Which spelling of a host names a profile's host, for git, Bazel and Docker alike.

use crate::docker::docker;
use crate::gateway::Gateway;
use crate::machine::Machine;
use serde_json::json;

/// Requests for `protocol` and `host` in each protocol.
fn requests(protocol: &str, host: &str) -> [(&'static str, String); 4] {
    let url = format!("{protocol}://{host}");
    [
        ("git", format!("protocol={protocol}\nhost={host}\n\n")),
        ("url", format!("url={url}/repo.git\n\n")),
        ("Bazel", json!({ "uri": format!("{url}/x") }).to_string()),
        ("Docker", url),
    ]
}

fn answer(machine: &Machine, kind: &str, request: &str) -> String {
    if kind == "Docker" {
        return docker(machine, "get", request).1;
    }
    let output = machine.command("get --interactive never").write_stdin(request).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn default_port_and_scheme_in_any_case_name_the_same_host() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    for (protocol, host) in [
        ("https", "gateway.example"),
        ("https", "gateway.example:443"),
        ("HTTPS", "gateway.example"),
        ("Https", "Gateway.Example:443"),
    ] {
        for (kind, request) in requests(protocol, host) {
            let answer = answer(&gateway.machine, kind, &request);
            assert!(answer.contains(&token), "{kind} {protocol}://{host}: {answer}");
            // git takes host and protocol of the answer for its own.
            let repeats = answer.contains(&format!("protocol={protocol}\nhost={host}\n"));
            assert!(kind != "git" || repeats, "{answer}");
        }
    }
    for (protocol, host) in [
        ("https", "gateway.example:8443"),
        ("https", "gateway.example:80"),
        ("http", "gateway.example:443"),
        ("http", "gateway.example"),
    ] {
        for (kind, request) in requests(protocol, host) {
            let answer = answer(&gateway.machine, kind, &request);
            assert!(!answer.contains(&token), "{kind} {protocol}://{host}");
        }
    }
}

#[test]
fn token_rejected_under_another_spelling_is_renewed() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let erase = format!("protocol=HTTPS\nhost=Gateway.example:443\npassword={token}\n\n");
    gateway.machine.command("erase").write_stdin(erase).assert().success();
    assert_ne!(gateway.token(), token);
}

#[test]
fn codexs_hosts_may_have_their_port() {
    let (machine, tokens) = Machine::signed_in(3600);
    for (kind, request) in requests("HTTPS", "chatgpt.com:443") {
        assert!(answer(&machine, kind, &request).contains(&tokens.access_token), "{kind}");
    }
}
