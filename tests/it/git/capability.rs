//! Capabilities: what only a caller gets that announces it.

use super::{ASKED, Git};

const CAPABLE: &str = "capability[]=authtype\nprotocol=https\nhost=a.example\n";

pub fn bearer_credential_is_stored_with_its_scheme_and_username(git: &Git) {
    git.approve(format!("{CAPABLE}authtype=Bearer\ncredential=one"));
    git.approve(format!("{CAPABLE}username=ada\nauthtype=Token\ncredential=two"));
    let expected = "capability[]=authtype\nauthtype=Token\ncredential=two\nprotocol=https\n\
        host=a.example\nusername=ada\n";
    assert_eq!(git.fill(format!("{CAPABLE}username=ada")), expected.as_bytes());
    assert_eq!(git.password(format!("{CAPABLE}username=grace")), ASKED);
    git.reject(format!("{CAPABLE}username=ada\nauthtype=Token\ncredential=other"));
    assert_eq!(git.filled(CAPABLE)["credential"], "two", "the latest");
    git.reject(format!("{CAPABLE}username=ada\nauthtype=Token\ncredential=two"));
    let expected = "capability[]=authtype\nauthtype=Bearer\ncredential=one\nprotocol=https\n\
        host=a.example\n";
    assert_eq!(git.fill(CAPABLE), expected.as_bytes());
}

pub fn caller_without_authtype_capability_gets_no_bearer_credential(git: &Git) {
    git.approve("url=https://ada:p@a.example");
    git.approve(format!("{CAPABLE}username=ada\nauthtype=Bearer\ncredential=c"));
    let request = "protocol=https\nhost=a.example\nusername=ada\n";
    git.machine.command("get").write_stdin(request).assert().success().stdout("");
    assert_eq!(git.password(request), ASKED);
    // A password needs no capability.
    git.approve("url=https://grace:q@a.example");
    assert_eq!(git.password(format!("{CAPABLE}username=grace")), "q");
    assert_eq!(git.login("url=https://a.example"), ("grace".into(), "q".into()));
}

pub fn credential_without_authtype_capability_is_not_stored(git: &Git) {
    let input = "protocol=https\nhost=a.example\nauthtype=Bearer\ncredential=c\n";
    git.machine.command("store").write_stdin(input).assert().success().stderr("");
    assert_eq!(git.password(CAPABLE), ASKED);
}

pub fn ephemeral_credential_is_not_stored(git: &Git) {
    git.approve(format!("{CAPABLE}authtype=Bearer\ncredential=c\nephemeral=1"));
    git.approve(format!("{CAPABLE}username=ada\npassword=p\nephemeral=1"));
    assert_eq!(git.password(CAPABLE), ASKED);
}

pub fn state_of_other_helpers_is_neither_stored_nor_answered(git: &Git) {
    let stateful = "capability[]=state\nprotocol=https\nhost=a.example\n";
    git.approve(format!("{stateful}username=ada\npassword=p\nstate[]=other:kept\ncontinue=1"));
    let answer = String::from_utf8(git.fill(stateful)).unwrap();
    assert!(answer.contains("\nstate[]=codex-credential:"), "{answer}");
    assert!(!answer.contains("kept") && !answer.contains("continue"), "{answer}");
    assert!(!git.filled("protocol=https\nhost=a.example").contains_key("state[]"));
}

pub fn capability_lists_authtype_and_state(git: &Git) {
    let told = git.machine.command("capability").assert().success();
    told.stdout("version 0\ncapability authtype\ncapability state\n");
}
