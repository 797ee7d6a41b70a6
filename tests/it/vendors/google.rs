//! Google: a refresh token only for requests with a parameter of its own.

use crate::gateway::{Gateway, read};
use predicates::prelude::*;
use predicates::str::contains;

fn requiring(more: &str) -> Gateway {
    Gateway::with(more, |s| {
        let required = [("access_type", "offline"), ("audience", "a b&c")];
        let required = required.map(|(name, value)| (name.to_owned(), value.to_owned()));
        s.standard.required_parameters = required.into_iter().collect();
    })
}

const PARAMETERS: &str = "parameters = { access_type = \"offline\", audience = \"a b&c\" }";

#[test]
fn parameters_of_the_profile_are_sent_with_device_and_token_requests() {
    let refused = requiring("").command("login --wait 20s").assert().failure();
    refused.stderr(contains("access_type"));
    let gateway = requiring(PARAMETERS);
    let token = gateway.sign_in();
    gateway.erase(&token);
    assert_ne!(gateway.token(), token);
    gateway.command("logout").assert().success();
}

#[test]
fn parameter_that_is_also_a_key_is_refused() {
    let gateway = Gateway::with(&format!("audience = \"other\"\n{PARAMETERS}"), |_| {});
    let refused = gateway.command("status").assert().code(2);
    refused.stderr(contains("audience is a key and a parameter"));
}

#[test]
fn logins_of_other_parameters_are_other_logins() {
    let gateway = requiring(PARAMETERS);
    gateway.sign_in();
    gateway.configure("parameters = { access_type = \"online\" }");
    gateway.command("status").assert().code(3);
    gateway.configure(PARAMETERS);
    gateway.command("status").assert().success();
    assert!(read(&gateway.logins()[0])["access_token"].is_string());
}

#[test]
fn parameter_that_the_program_sets_is_refused() {
    for name in ["grant_type", "client_id", "refresh_token", "scope"] {
        let gateway = Gateway::with(&format!("parameters = {{ {name} = \"x\" }}"), |_| {});
        let refused = gateway.command("status").assert().code(2);
        refused
            .stderr(contains(format!("sets the parameter {name} itself")).and(contains("line 6")));
        gateway.write_config("");
        let add = "profile add work --issuer https://id.example --client-id c --parameter";
        gateway.machine.command(&format!("{add} {name}=x")).assert().code(2);
    }
}

#[test]
fn added_profile_shows_the_keys_that_the_file_has() {
    let gateway = Gateway::new();
    gateway.write_config("");
    let add = "profile add work --issuer https://id.example --client-id c --client-auth post \
               --id-token ignore --parameter access_type=offline --parameter prompt=a=b";
    gateway.machine.command(add).assert().success();
    let file = std::fs::read_to_string(gateway.config()).unwrap();
    for line in [
        "client_auth = \"post\"",
        "id_token = \"ignore\"",
        "[profiles.work.parameters]\naccess_type = \"offline\"\nprompt = \"a=b\"",
    ] {
        assert!(file.contains(line), "{line}: {file}");
    }
    let shown = gateway.machine.command("profile show work").assert().success();
    shown.stdout(contains("access_type=offline prompt=a=b").and(contains("client_auth")));
    let shown = gateway.machine.command("profile show work --json").output().unwrap().stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["parameters"]["access_type"], "offline");
    assert_eq!((&shown["client_auth"], &shown["id_token"]), (&"post".into(), &"ignore".into()));
}
