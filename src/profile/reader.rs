//! Reads values of `config.toml` and names the place of a mistake.

use crate::error::{Error, Kind, Result};
use crate::storage::audit_log::AuditLevel;
use crate::storage::host_credentials::GitStorage;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub const GIT_KEYS: [&str; 1] = ["storage"];

/// What went wrong is said with its place in the file.
pub struct Reader<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

pub type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

impl Reader<'_> {
    pub fn bad(&self, span: &Range<usize>, what: &str) -> Error {
        let line = self.text[..span.start.min(self.text.len())].split('\n').count();
        let what = what.lines().next().unwrap_or_default();
        Error::new(Kind::Configuration, format!("{}, line {line}: {what}", self.path.display()))
            .hint("docs/configuration.md lists the keys and their values")
    }

    pub fn unknown(&self, key: &Key, known: &[&str]) -> Error {
        let key_text = key.get_ref();
        let what = format!("there is no key {key_text:?} here{}", instead(key_text, known));
        self.bad(&key.span(), &what)
    }

    pub fn text(&self, key: &Key, value: &Spanned<DeValue>) -> Result<String> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        match text {
            Some(text) if !text.contains(char::is_control) => Ok(text.to_owned()),
            _ => Err(self.bad(&value.span(), &format!("{} takes one line of text", key.get_ref()))),
        }
    }

    /// One of a few words.
    pub fn word<T>(&self, key: &Key, value: &Spanned<DeValue>, words: &[(&str, T)]) -> Result<T>
    where
        T: Copy,
    {
        let text = self.text(key, value)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meant);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let what = format!(
            "{} is one of {}, not {text:?}{}",
            key.get_ref(),
            words.join(", "),
            instead(&text, &words)
        );
        Err(self.bad(&value.span(), &what))
    }

    pub fn table<'t, 'i>(
        &self,
        key: &Key,
        value: &'t Spanned<DeValue<'i>>,
    ) -> Result<&'t DeTable<'i>> {
        let what = || self.bad(&value.span(), &format!("{} is a table", key.get_ref()));
        value.get_ref().as_table().ok_or_else(what)
    }

    pub fn audit(&self, key: &Key, value: &Spanned<DeValue>) -> Result<AuditLevel> {
        let words = [
            ("none", AuditLevel::Nothing),
            ("changes", AuditLevel::Changes),
            ("all", AuditLevel::All),
        ];
        self.word(key, value, &words)
    }

    pub fn git(&self, key: &Key, value: &Spanned<DeValue>) -> Result<GitStorage> {
        let mut storage = GitStorage::default();
        for (key, value) in self.table(key, value)? {
            match key.get_ref().as_ref() {
                "storage" => {
                    let words = [
                        ("file", GitStorage::File),
                        ("keyring", GitStorage::Keyring),
                        ("none", GitStorage::None),
                    ];
                    storage = self.word(key, value, &words)?;
                }
                _ => return Err(self.unknown(key, &GIT_KEYS)),
            }
        }
        Ok(storage)
    }
}

/// `; did you mean …?`, where one of `known` is near.
pub fn instead(word: &str, known: &[&str]) -> String {
    let distance = |known: &&&str| strsim::damerau_levenshtein(word, known);
    let nearest = known.iter().min_by_key(distance);
    let is_near = |known: &&&str| distance(known) <= word.len().max(known.len()) / 2;
    nearest.filter(is_near).map_or(String::new(), |known| format!("; did you mean {known:?}?"))
}
