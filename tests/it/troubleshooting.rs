//! docs/troubleshooting.md has every message of an error, and no other.

use std::collections::BTreeSet;
use std::fs;

/// What stands before the text of an error, in the source.
const MARKS: [&str; 4] = ["let what =", "let message =", "error(", "message:"];
/// Parts of sentences that stand in the same place.
const PARTS: [&str; 2] = ["the login of … in …", "the login is kept in …"];

/// The text of a literal, with `…` for what differs and without the line breaks of the source.
fn canonical(literal: &str) -> String {
    let mut text = String::new();
    let mut letters = literal.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&'\n') => {
                while letters.next_if(|next| next.is_whitespace()).is_some() {}
            }
            '\\' => text.extend(letters.next()),
            '{' => {
                letters.by_ref().find(|&end| end == '}');
                text.push('…');
            }
            _ => text.push(letter),
        }
    }
    text
}

/// The literal that `code` begins with, if it does, perhaps in a `format!`.
fn leading_literal(code: &str) -> Option<&str> {
    let code = code.trim_start();
    let code = code.strip_prefix("format!(").unwrap_or(code).trim_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = code.find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })?;
    Some(&code[..end])
}

fn after_kind(code: &str) -> Option<&str> {
    let (kind, rest) = code.trim_start().strip_prefix("Kind::")?.split_once(',')?;
    kind.chars().all(char::is_alphanumeric).then_some(rest)
}

/// The texts of errors; what only puts other texts together has too few words of its own.
fn in_source() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, code) in super::architecture::code() {
        let made = code.split("Error::new(").skip(1).filter_map(after_kind);
        let named = MARKS.iter().flat_map(|mark| code.split(mark).skip(1));
        found.extend(made.chain(named).filter_map(leading_literal).map(canonical));
    }
    found.retain(|text| text.matches(char::is_alphabetic).count() > 8);
    found.retain(|text| !PARTS.contains(&text.as_str()));
    found
}

fn literals() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, code) in super::architecture::code() {
        found.extend(
            code.match_indices('"')
                .filter_map(|(at, _)| leading_literal(&code[at..]).map(canonical)),
        );
    }
    found
}

fn documented() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md");
    let document = fs::read_to_string(path).unwrap();
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(message, _)| message.to_owned()).collect()
}

#[test]
fn every_message_of_an_error_is_in_the_document() {
    let documented = documented();
    let missing: Vec<_> = in_source().into_iter().filter(|m| !documented.contains(m)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_message_of_the_document_is_in_the_source() {
    let literals = literals();
    let stale: Vec<_> = documented().into_iter().filter(|m| !literals.contains(m)).collect();
    assert!(stale.is_empty(), "{stale:#?}");
}
