//! config.toml: what is accepted, how a mistake is reported, and that docs/configuration.md lists every key.

use codex_credential::error::{Kind, Result};
use codex_credential::profile::built_in::BUILT_IN;
use codex_credential::profile::config::Config;
use codex_credential::storage::etcd_settings::Role;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const NO_KEY: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Returns the keys of a table, as the error of an unknown key lists them.
fn keys(header: &str) -> Vec<String> {
    let text = format!("{header}\n{NO_KEY} = 1\n");
    let error = Config::parse(Path::new("/config.toml"), &text).unwrap_err();
    let hint = error.hint.unwrap();
    let keys = hint.strip_prefix("the keys are ").unwrap_or_else(|| panic!("{hint}"));
    keys.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_documented_and_every_documented_key_exists() {
    let tables = ["", "[git]", "[profiles.a]", "[profiles.a.etcd]"];
    let keys: BTreeSet<String> = tables.iter().flat_map(|table| keys(table)).collect();
    assert!(keys.len() > 30, "{keys:?}");
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), keys);
}

#[test]
fn example_of_the_document_is_valid() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let example = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = Config::parse(Path::new("/config.toml"), example).unwrap();
    assert!(config.find("company").is_ok());
}

const COMPANY: &str = "[profiles.company]\nissuer = 'https://id.example'\nclient_id = 'cli'\n";
const ETCD: &str = "storage = 'etcd'\n[profiles.company.etcd]\n";

fn parse(text: &str) -> Result<Config> {
    Config::parse(Path::new("/etc/c.toml"), text)
}

/// Returns the message and the hint.
fn error(text: &str) -> (String, String) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.kind, Kind::Configuration, "{text}");
    (error.text(), error.hint.unwrap())
}

fn company(more: &str) -> String {
    format!("{COMPANY}{more}")
}

#[test]
fn host_must_be_written_as_git_sends_it() {
    for host in ["a.example", "a.example:8443", "127.0.0.1:80", "[::1]:81", "xn--bcher-kva.example"]
    {
        assert!(parse(&company(&format!("hosts = ['{host}']"))).is_ok(), "{host}");
    }
    for host in [
        "A.example",
        "https://a.example",
        "u@a.example",
        "a.example/b",
        "a.example:443",
        "",
        "a b",
        "bücher.example",
        "a.example:",
        "*.example",
    ] {
        let (message, _) = error(&company(&format!("hosts = ['{host}']")));
        assert!(message.contains("line 4: "), "{host}: {message}");
    }
}

#[test]
fn host_selects_the_profile() {
    let config = parse(&company("hosts = ['a.example']")).unwrap();
    assert_eq!(config.profile_of_host(b"A.EXAMPLE"), Some("company"));
    assert_eq!(config.profile_of_host(b"chatgpt.com"), Some("codex"));
    assert_eq!(config.profile_of_host(b"b.example"), None);
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let text = format!(
        "client_secret_file = 'secret'\n{ETCD}endpoints = ['https://e.example']\nidentity_file = 'id'\n\
         ca_file = '/ca'\nrole = 'reader'\nlease = '90s'"
    );
    let profile = parse(&company(&text)).unwrap().find("company").unwrap();
    assert_eq!(profile.client_secret_file, Some("/etc/secret".into()));
    let etcd = profile.etcd.unwrap();
    assert_eq!((etcd.identity_file, etcd.ca_file), ("/etc/id".into(), Some("/ca".into())));
    assert_eq!((etcd.role, etcd.lease.as_secs()), (Role::Reader, 90));
}

#[test]
fn encoding_and_line_ends_do_not_change_the_meaning() {
    for text in ["", "\n", "\u{feff}", "# nothing\r\n"] {
        let config = parse(text).unwrap();
        assert_eq!(config.default_name(), BUILT_IN, "{text:?}");
        assert!(config.profiles.is_empty());
    }
    let windows = format!("\u{feff}{COMPANY}").replace('\n', "\r\n");
    assert!(parse(&windows).unwrap().find("company").is_ok());
    let (message, _) = error(&format!("{windows}hots = []\r\n"));
    assert!(message.contains("line 4: profiles.company: unknown key \"hots\""), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, b"audit = 'all'\n# \xff\n").unwrap();
    let message = Config::load(&path, true).unwrap_err().text();
    assert!(message.ends_with("config.toml, line 2: the file is not valid UTF-8"), "{message}");
}

#[test]
fn built_in_profile_can_set_where_and_whose_the_login_is() {
    let codex = "[profiles.codex]\nstorage = 'file'\ncache = 'none'\naccount = 'ada'\nworkspace = 'w'\n\
                 interactive = 'never'";
    assert_eq!(parse(codex).unwrap().find(BUILT_IN).unwrap().account.as_deref(), Some("ada"));
}

fn assert_errors(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let (message, _) = error(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn unknown_word_is_told_with_its_line_and_the_nearest_word() {
    for (text, expected, hint) in [
        ("\nprofile = 1", "/etc/c.toml, line 2: unknown key \"profile\"", "\"profiles\"?"),
        (
            "[git]\nstorage = 'keyrng'",
            "line 2: git.storage: unknown value \"keyrng\"",
            "\"keyring\"?",
        ),
        ("audit = 'al'", "line 1: audit: unknown value \"al\"", "\"all\"?"),
        (
            &company("host = ['a.example']"),
            "line 4: profiles.company: unknown key \"host\"",
            "did you mean \"hosts\"?",
        ),
        (
            &company("zzzzzzzzzzzzzzz = 1"),
            "line 4: profiles.company: unknown key \"zzzzzzzzzzzzzzz\"",
            "the keys are issuer, ",
        ),
        (&company("storage = 'xxxxxxxxxx'"), "unknown value", "the values are codex, file, "),
        (
            &company(&format!("{ETCD}recipient = []")),
            "profiles.company.etcd: unknown key \"recipient\"",
            "\"recipients\"?",
        ),
        (
            &company(&format!("{ETCD}role = 'write'")),
            "profiles.company.etcd.role: unknown",
            "\"writer\"?",
        ),
        (
            &company("'a`b, expected `c' = 1"),
            "line 4: profiles.company: unknown key \"a`b, expected `c\"",
            "the keys are",
        ),
    ] {
        let (message, told) = error(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(told.contains(hint), "{text}: {told}");
    }
    let (message, _) = error(&format!("default_profile = 'compnay'\n{COMPANY}"));
    assert_eq!(
        message,
        "/etc/c.toml, line 1: default_profile: there is no profile \"compnay\"; did you mean \"company\"?"
    );
}

#[test]
fn wrong_type_is_told_with_its_line_and_key_and_without_the_value() {
    for (text, expected) in [
        (company("scope = 1"), "line 4: profiles.company.scope: expected a string"),
        (company("scope = ''"), "line 4: profiles.company.scope: expected one line of text"),
        (company("scope = \"a\\nb\""), "line 4: profiles.company.scope: expected one line of text"),
        (
            company("client_secret_file = ''"),
            "line 4: profiles.company.client_secret_file: expected one line",
        ),
        (company("hosts = 'secret'"), "line 4: profiles.company.hosts: expected a list"),
        (company("hosts = [1]"), "line 4: profiles.company.hosts: expected a string"),
        (company("storage = 1"), "line 4: profiles.company.storage: expected a string"),
        (company("etcd = 'secret'"), "line 4: profiles.company.etcd: expected a table"),
        (
            company("token_endpoint = 'http://secret.example/t'"),
            "line 4: profiles.company.token_endpoint: expected an https URL",
        ),
        (
            COMPANY.replace("id.example", "id.example?secret"),
            "line 2: profiles.company.issuer: expected an https URL without a query",
        ),
        (
            company(&format!("{ETCD}lease = '1s'")),
            "line 6: profiles.company.etcd.lease: expected a duration of at least 2s",
        ),
        (
            company(&format!("{ETCD}endpoints = ['http://secret.example']")),
            "line 6: profiles.company.etcd.endpoints: expected an https URL",
        ),
        ("git = 'secret'".into(), "line 1: git: expected a table"),
        ("\ngit = ['keyring']".into(), "line 2: expected a table, not a list"),
        ("[[profiles.a]]".into(), "line 1: expected a table, not a list"),
        (company("etcd = []"), "line 4: expected a table, not a list"),
        ("[[profiles]]\n".into(), "line 1: profiles: expected a table"),
        ("audit = true".into(), "line 1: audit: expected a string"),
        ("default_profile = 1".into(), "line 1: default_profile: expected a string"),
        ("[profiles.'a b']\n".into(), "line 1: profiles: expected a profile name"),
    ] {
        let (message, _) = error(&text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains("secret.") && !message.contains("'secret'"), "{message}");
    }
}

#[test]
fn broken_syntax_is_told_with_its_line() {
    assert_errors(&[
        ("a = [", "line 1: "),
        ("\n\n[git\n", "line 3: "),
        ("audit = 'all'\naudit = 'none'", "line 2: duplicate key"),
        ("[git]\n[git]", "line 2: duplicate key"),
        (&company("[profiles.company]"), "line 4: duplicate key"),
        ("audit = 'all' x", "line 1: "),
    ]);
}

#[test]
fn broken_rule_over_several_keys_names_the_line_of_the_profile() {
    assert_errors(&[
        (
            "[profiles.company]\nclient_id = 'a'",
            "/etc/c.toml, line 1: profiles.company: issuer is missing",
        ),
        (
            "\n[profiles.company]\nissuer = 'https://a.example'",
            "/etc/c.toml, line 2: profiles.company: client_id is missing",
        ),
        (
            &company("storage = 'codex'"),
            "/etc/c.toml, line 1: profiles.company: storage = \"codex\" is only for the profile codex",
        ),
        (
            &company("storage = 'etcd'"),
            "/etc/c.toml, line 1: profiles.company: storage = \"etcd\" needs a table etcd",
        ),
        (&company(ETCD), "/etc/c.toml, line 1: profiles.company: the table etcd has no endpoints"),
        (
            "[profiles.codex]\ncache = 'none'\nhosts = ['a.example']",
            "/etc/c.toml, line 1: profiles.codex: hosts cannot be set",
        ),
        (
            "[profiles.codex]\nissuer = 'https://a.example'",
            "/etc/c.toml, line 1: profiles.codex: issuer cannot be set",
        ),
    ]);
    let other = COMPANY.replace("company", "other");
    let both = format!("{COMPANY}hosts = ['a.example']\n{other}hosts = ['b.example', 'a.example']");
    assert_errors(&[
        (
            &both,
            "/etc/c.toml, line 5: profiles.other: the host a.example belongs to the profile company",
        ),
        (&company("hosts = ['chatgpt.com']"), "belongs to the profile codex"),
    ]);
}
