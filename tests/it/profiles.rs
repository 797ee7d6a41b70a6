//! Profiles: how one is selected, and the commands that list, show, add and test them.

use crate::gateway::{Gateway, REQUEST};
use crate::machine::Machine;
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use serde_json::Value;
use std::fs;

#[test]
fn option_overrides_variable_overrides_host_overrides_default() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let mut machine = gateway.machine;
    let name = |machine: &Machine, line: &str| {
        let output = machine.command(line).output().unwrap().stdout;
        serde_json::from_slice::<Value>(&output).unwrap()["profile"].clone()
    };
    assert_eq!(name(&machine, "status --json"), "codex");
    assert_eq!(name(&machine, "status --json --profile company"), "company");
    machine.set("CODEX_CREDENTIAL_PROFILE", "company");
    assert_eq!(name(&machine, "status --json"), "company");
    assert_eq!(name(&machine, "status --json --profile codex"), "codex");
    let named = machine.command("get --profile codex").write_stdin(REQUEST).assert().success();
    named.stdout(is_empty());
    machine.command("get --format token").assert().success().stdout(format!("{token}\n"));
    machine
        .command("get --profile compnay")
        .assert()
        .code(2)
        .stderr(contains("did you mean \"company\"?"));
}

#[test]
fn default_profile_answers_a_request_without_a_host() {
    let gateway = Gateway::new();
    let token = gateway.sign_in();
    let table = fs::read_to_string(gateway.config()).unwrap();
    gateway.write_config(&format!("default_profile = \"company\"\n{table}"));
    let answer = gateway.machine.command("get --format token").assert().success();
    answer.stdout(format!("{token}\n"));
    let list = gateway.machine.command("profile list").assert().success();
    list.stdout(contains("* company ").and(contains("  codex ")).and(contains("chatgpt.com")));
}

#[test]
fn mistake_in_the_file_stops_every_command_with_its_line() {
    let gateway = Gateway::with("hots = [\"a.example\"]", |_| {});
    for command in ["get", "status", "login", "logout", "profile list"] {
        let refused = gateway.machine.command(command).assert().code(2).stdout(is_empty());
        refused.stderr(contains("config.toml, line 6: ").and(contains("\"hosts\"?")));
    }
    let missing = gateway.machine.command("get --config /nowhere/at/all.toml").assert().code(2);
    missing.stderr(contains("/nowhere/at/all.toml"));
}

#[test]
fn added_profile_leaves_every_other_byte_of_the_file() {
    let gateway = Gateway::new();
    let before =
        "# mine\r\n[profiles.company]\r\nissuer='https://a.example'\r\nclient_id = \"x\" # last";
    gateway.write_config(before);
    let add = "profile add other --issuer https://b.example/realms/x --client-id cli --host b.example \
               --host b.example:8443 --scope openid --account ada@example.com --storage memory";
    gateway.machine.command(add).assert().success().stderr(contains("other"));
    let after = fs::read_to_string(gateway.config()).unwrap();
    let added = "\r\n\r\n[profiles.other]\r\nissuer = \"https://b.example/realms/x\"\r\nclient_id = \"cli\"\r\n\
                 scope = \"openid\"\r\nhosts = [\"b.example\", \"b.example:8443\"]\r\nstorage = \"memory\"\r\n\
                 account = \"ada@example.com\"";
    assert_eq!(after, format!("{before}{added}"));
    let list = gateway.machine.command("profile list").assert().success();
    list.stdout(contains("other            https://b.example/realms/x b.example b.example:8443"));
    // Nothing invalid is written.
    for (more, says) in [
        ("other --issuer https://c.example --client-id c", "other"),
        ("third --issuer https://c.example --client-id c --host b.example", "b.example"),
        ("third --issuer ftp://c.example --client-id c", "issuer"),
        ("Third --issuer https://c.example --client-id c", "name"),
        ("third --issuer https://c.example --client-id c --storage disk", "storage"),
    ] {
        let refused = gateway.machine.command(&format!("profile add {more}")).assert().code(2);
        refused.stderr(contains(says));
        assert_eq!(fs::read_to_string(gateway.config()).unwrap(), after);
    }
    fs::remove_file(gateway.config()).unwrap();
    let file = gateway.home.path().join("made.toml");
    let add = "profile add first --issuer https://b.example --client-id cli --config";
    gateway.machine.command(&format!("{add} {}", file.display())).assert().success();
    let made = "[profiles.first]\nissuer = \"https://b.example\"\nclient_id = \"cli\"\n";
    assert_eq!(fs::read_to_string(&file).unwrap(), made);
}

#[test]
fn show_prints_the_keys_of_a_profile_and_no_secret() {
    let gateway = Gateway::with("client_secret_file = \"secret\"", |_| {});
    fs::write(gateway.config().with_file_name("secret"), "made-up").unwrap();
    let show = gateway.machine.command("profile show company").assert().success();
    show.stdout(
        contains("gateway-cli").and(contains("gateway.example")).and(contains("made-up").not()),
    );
    let output = gateway.machine.command("profile show company --json").unwrap().stdout;
    let shown: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(shown["issuer"], gateway.machine.issuer.url());
    assert_eq!(
        (&shown["storage"], &shown["hosts"][0]),
        (&"file".into(), &"gateway.example".into())
    );
    let list = gateway.machine.command("profile list --json").unwrap().stdout;
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!((&list[0]["name"], &list[0]["default"]), (&"codex".into(), &true.into()));
    assert_eq!(list[1]["name"], "company");
}

#[test]
fn test_reports_what_works_and_what_is_missing() {
    let gateway = Gateway::new();
    let found = gateway.machine.command("profile test company").assert().success();
    found.stdout(
        contains("/.well-known/oauth-authorization-server")
            .and(contains("/codex/device"))
            .and(contains("gateway.example")),
    );
    let issuer = &gateway.machine.issuer;
    issuer.set(|s| s.device_login = false);
    let found = gateway.machine.command("profile test company --json").assert().code(1);
    let found: Value = serde_json::from_slice(&found.get_output().stdout).unwrap();
    let checks = found["checks"].as_array().unwrap();
    assert!(crate::doctor::only(checks, "device", "failure")["next"].is_string());
    crate::doctor::only(checks, "storage", "ok");
    issuer.set(|s| s.device_login = true);
    issuer.fault(Endpoint::UserCode, Fault::status(503, ""), 1);
    gateway.machine.command("profile test company").assert().code(1).stdout(contains("FAILURE"));
    let codex = Machine::new();
    let found = codex.command("profile test").assert().success();
    found.stdout(contains("/codex/device").and(contains("chatgpt.com")));
}

#[test]
fn login_of_another_issuer_cannot_move_to_codex() {
    let gateway = Gateway::new();
    gateway.sign_in();
    gateway.command("move --to codex").assert().code(2);
    assert_eq!(gateway.logins().len(), 1);
}

#[test]
fn interactive_of_the_profile_is_the_default() {
    let gateway = Gateway::with("interactive = \"never\"", |_| {});
    gateway.command("get").assert().code(3).stderr(contains("codex-credential login"));
    assert_eq!(gateway.machine.issuer.counts().user_codes, 0);
    gateway.command("get --interactive auto").assert().code(3).stderr(contains("/device"));
}
