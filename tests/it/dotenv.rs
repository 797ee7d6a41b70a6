//! `$CODEX_HOME/.env`, where Codex reads the proxy and the certificates from.

use crate::certificates::{machine, today};
use crate::machine::Machine;
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

/// A warm `get` sends no request, so it does not read what only requests need.
#[test]
fn warm_get_does_not_read_codexs_file() {
    let (machine, tokens) = Machine::signed_in(3600);
    write(&machine, "HTTPS_PROXY=nonsense://\n");
    assert_eq!(machine.token(), tokens.access_token);
    machine.refuse(&tokens.access_token);
    machine.command("get --wait 20s").assert().code(2).stderr(contains("HTTPS_PROXY"));
}
