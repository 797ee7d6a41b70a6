//! `$CODEX_HOME/.env`, where Codex reads the proxy and the certificates from.

use crate::certificates::{machine, today};
use crate::machine::{Machine, PATIENCE};
use crate::proxies::{Policy, Proxy, trusting_machine};
use predicates::str::contains;
use std::fs;

fn write(machine: &Machine, text: &str) {
    fs::write(machine.path(".env"), text).unwrap();
}

#[test]
fn proxy_of_codexs_file_overrides_that_of_the_environment() {
    let (proxy, other) = (Proxy::start(Policy::Connect), Proxy::start(Policy::Connect));
    let mut machine = trusting_machine();
    machine.set("HTTPS_PROXY", &other.url());
    write(&machine, &format!("# a comment\nexport HTTPS_PROXY=\"{}\"\n", proxy.url()));
    machine.token();
    assert_eq!((proxy.seen().len(), other.seen().len()), (1, 0));
    machine.command("doctor").assert().stdout(contains(format!("go through {}", proxy.url())));
}

#[test]
fn authority_of_codexs_file_is_trusted_and_names_of_codex_are_ignored() {
    let (machine, authority) = machine("localhost", today());
    write(&machine, &format!("CODEX_CREDENTIAL_STORAGE=memory\nSSL_CERT_FILE={authority}\n"));
    machine.token();
}

#[test]
fn settings_of_a_codex_home_do_not_say_where_the_tokens_of_other_storages_go() {
    let proxy = Proxy::start(Policy::Connect);
    let mut machine = trusting_machine();
    write(&machine, &format!("HTTPS_PROXY={}\n", proxy.url()));
    let config = format!("chatgpt_base_url = '{}/backend-api'\n", proxy.url());
    fs::write(machine.path("config.toml"), config).unwrap();
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    let login = machine.start("login --wait 60s");
    machine.issuer.approve(&machine.issuer.wait_for_user_code(PATIENCE).unwrap());
    assert!(login.wait_with_output().unwrap().status.success());
    machine.refuse(&machine.token());
    machine.token();
    machine.command("status --check").assert().code(1).stdout(contains("not checked"));
    machine.command("logout --wait 20s").assert().success();
    assert!(proxy.seen().is_empty(), "{:?}", proxy.seen());
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

/// A warm `get` sends no request, so it does not read what only requests need.
#[test]
fn warm_get_does_not_read_codexs_file() {
    let (machine, tokens) = Machine::signed_in(3600);
    write(&machine, "HTTPS_PROXY=nonsense://\n");
    assert_eq!(machine.token(), tokens.access_token);
    machine.refuse(&tokens.access_token);
    machine.command("get --wait 20s").assert().code(2).stderr(contains("HTTPS_PROXY"));
}
