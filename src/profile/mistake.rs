//! Mistakes in `config.toml`: the file, the line, the key, what is allowed and the nearest word.

use crate::error::{Error, Kind};
use std::path::Path;
use toml::de::DeTable;

/// Turns an error of the parser or of serde into one with the line and the nearest word.
pub fn unreadable(path: &Path, text: &str, mut error: toml::de::Error) -> Error {
    let line = line_at(text, error.span().unwrap_or_default().start);
    // Only the text form has the key, and only without the source line.
    error.set_input(None);
    let shown = error.to_string();
    let shown = shown.trim_end();
    let (message, key) = shown.rsplit_once("\nin `").unwrap_or((shown, ""));
    let key = if key.is_empty() { key.into() } else { format!("{}: ", key.trim_end_matches('`')) };
    let message = message.trim_end();
    for (prefix, kind) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        if let Some((word, known)) = unknown(message, prefix) {
            return at(path, line, &format!("{key}unknown {kind} {word:?}")).hint(suggestion(
                word,
                &format!("{kind}s"),
                &known,
            ));
        }
    }
    at(path, line, &format!("{key}{}", expectation(message)))
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

/// Returns the line of `key`, which may be a key of a table: `profiles.company`.
pub fn line_of(text: &str, key: &str) -> usize {
    let root = DeTable::parse(text).expect("it was parsed before");
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let found = root.get_ref().get_key_value(first);
    let inner = found.and_then(|(_, value)| value.get_ref().as_table()?.get_key_value(rest));
    line_at(text, inner.or(found).map_or(0, |(key, _)| key.span().start))
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
    format!("expected {}", expected.replace("a sequence", "a list").replace("a map", "a table"))
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
