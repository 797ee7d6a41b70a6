//! Mistakes in `config.toml`: the file, the line, the key, what is allowed and the nearest word.

use crate::error::{Error, Kind};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Turns an error of the parser or of serde into one with the line and the nearest word.
pub fn unreadable(path: &Path, text: &str, mut error: toml::de::Error) -> Error {
    let line = line_at(text, error.span().unwrap_or_default().start);
    // Only the text form has the key, and only without the source line.
    error.set_input(None);
    let shown = error.to_string();
    let shown = shown.trim_end();
    let (message, key) = shown.rsplit_once("\nin `").unwrap_or((shown, ""));
    let (message, key) = (message.trim_end(), key.trim_end_matches('`'));
    if let Some((word, known)) = unknown(message, "unknown field `") {
        let table = if key.is_empty() { String::new() } else { format!(" in {key}") };
        return at(path, line, &format!("unknown key {word:?}{table}"))
            .hint(suggestion(word, "keys", &known));
    }
    if let Some((word, known)) = unknown(message, "unknown variant `") {
        return at(path, line, &format!("{key}: unknown value {word:?}"))
            .hint(suggestion(word, "values", &known));
    }
    let what = expectation(message);
    at(path, line, &if key.is_empty() { what } else { format!("{key}: {what}") })
}

/// A broken rule: the key to show, from the top, and what is wrong.
pub struct Mistake {
    keys: Vec<String>,
    what: String,
}

impl Mistake {
    pub fn new(keys: &[&str], what: String) -> Self {
        Self { keys: keys.iter().map(|key| (*key).to_owned()).collect(), what }
    }

    /// Returns the error at the key, or at the table that lacks it.
    pub fn locate(&self, path: &Path, text: &str) -> Error {
        let mut offset = 0;
        let mut table = DeTable::parse(text).ok().map(Spanned::into_inner);
        for key in &self.keys {
            let entry = table.as_mut().and_then(|table| table.remove_entry(key.as_str()));
            let Some((key, value)) = entry else { break };
            offset = key.span().start;
            table = match value.into_inner() {
                DeValue::Table(table) => Some(table),
                _ => None,
            };
        }
        at(path, line_at(text, offset), &self.what)
    }
}

/// Returns the error `what` on a line of the file.
pub fn at(path: &Path, line: usize, what: &str) -> Error {
    let what = what.lines().next().unwrap_or_default();
    Error::new(Kind::Configuration, format!("{}, line {line}: {what}", path.display()))
        .hint("docs/configuration.md lists the keys and their values")
}

/// Returns the number of the line with the byte at `offset`.
pub fn line_at(text: impl AsRef<[u8]>, offset: usize) -> usize {
    let before = text.as_ref().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// Returns the unknown word and the known ones from serde's message: "… `word`, expected one of `a`, `b`".
fn unknown<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (word, known) = message.strip_prefix(prefix)?.rsplit_once("`, expected ")?;
    Some((word, known.split('`').skip(1).step_by(2).collect()))
}

/// Returns the expectation only: the value itself may be a misplaced secret.
fn expectation(message: &str) -> String {
    let expected = match message.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid type: ") => expected,
        _ if message.starts_with("wanted ") => "a string",
        _ => return message.to_owned(),
    };
    format!("expected {}", expected.replace("a sequence", "a list"))
}

/// Returns `did you mean …?`, or all that is known if no word is near.
pub fn suggestion(word: &str, what: &str, known: &[&str]) -> String {
    let distance = |known: &&&str| strsim::damerau_levenshtein(word, known);
    let is_near = |known: &&&str| distance(known) <= word.len().max(known.len()) / 2;
    match known.iter().min_by_key(distance).filter(is_near) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => format!("the {what} are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::config::Config;

    const COMPANY: &str = "[profiles.company]\nissuer = 'https://id.example'\nclient_id = 'cli'\n";
    const ETCD: &str = "storage = 'etcd'\n[profiles.company.etcd]\n";

    fn parse(text: &str) -> Result<Config, Error> {
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
                "line 4: unknown key \"host\" in profiles.company",
                "did you mean \"hosts\"?",
            ),
            (
                &company("zzzzzzzzzzzzzzz = 1"),
                "line 4: unknown key \"zzzzzzzzzzzzzzz\"",
                "the keys are issuer, ",
            ),
            (&company("storage = 'xxxxxxxxxx'"), "unknown value", "the values are codex, file, "),
            (
                &company(&format!("{ETCD}recipient = []")),
                "unknown key \"recipient\" in profiles.company.etcd",
                "\"recipients\"?",
            ),
            (
                &company(&format!("{ETCD}role = 'write'")),
                "profiles.company.etcd.role: unknown",
                "\"writer\"?",
            ),
            (
                &company("'a`b, expected `c' = 1"),
                "line 4: unknown key \"a`b, expected `c\"",
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
            (
                company("scope = \"a\\nb\""),
                "line 4: profiles.company.scope: expected one line of text",
            ),
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
            ("git = ['keyring']".into(), "line 1: git: expected a table"),
            ("[[git]]\nstorage = 'file'".into(), "line 1: git: expected a table"),
            ("[[profiles]]\n".into(), "line 1: profiles: expected a table"),
            (
                COMPANY.replace("[profiles.company]", "[[profiles.company]]"),
                "line 1: profiles.company: expected a table",
            ),
            (
                "[profiles]\ncompany = ['https://a.example', 'cli']".into(),
                "line 2: profiles.company: expected a table",
            ),
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
    fn rule_over_several_keys_is_told_with_the_line_of_its_key() {
        assert_errors(&[
            ("[profiles.company]\nclient_id = 'a'", "line 1: profiles.company: issuer is missing"),
            (
                "\n[profiles.company]\nissuer = 'https://a.example'",
                "line 2: profiles.company: client_id is missing",
            ),
            (
                &company("storage = 'codex'"),
                "line 4: profiles.company: storage = \"codex\" is only for the profile codex",
            ),
            (
                &company("storage = 'etcd'"),
                "line 4: profiles.company: storage = \"etcd\" needs a table etcd",
            ),
            (&company(ETCD), "line 5: profiles.company: the table etcd has no endpoints"),
            (
                "[profiles.codex]\ncache = 'none'\nhosts = ['a.example']",
                "line 3: profiles.codex: hosts cannot be set",
            ),
            (
                "[profiles.codex]\nissuer = 'https://a.example'",
                "line 2: profiles.codex: issuer cannot be set",
            ),
        ]);
        let other = COMPANY.replace("company", "other");
        let both =
            format!("{COMPANY}hosts = ['a.example']\n{other}hosts = ['b.example', 'a.example']");
        assert_errors(&[
            (&both, "line 8: the host a.example belongs to the profiles company and other"),
            (&company("hosts = ['chatgpt.com']"), "belongs to the profiles codex and company"),
        ]);
    }
}
