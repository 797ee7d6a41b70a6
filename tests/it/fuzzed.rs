//! Generated input for everything that reads data from outside: no panic, no content in an error, and only valid values
//! are accepted.

mod files;
mod requests;
mod responses;

use crate::attack::Attack;
use codex_credential::error::Error;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

/// Stands for a secret. No error may contain it.
const SECRET: &str = "made-up-secret-0123456789abcdef0123456789abcdef";

/// Runs `check` with `count` generated inputs. It panics if an input has a wrong effect.
fn for_each<S: Strategy>(attack: &Attack, count: u32, inputs: &S, check: impl Fn(S::Value)) {
    let config =
        ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(inputs, |input| {
        attack.again();
        check(input);
        Ok(())
    });
    outcome.unwrap();
}

/// Asserts that the error is one line, without the secret.
fn assert_one_line_without_secret(error: &Error) {
    let text = serde_json::to_string(error).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert_one_line(error);
}

fn assert_one_line(error: &Error) {
    for text in [Some(&error.text()), error.hint.as_ref()].into_iter().flatten() {
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.len() < 1000, "{} bytes", text.len());
    }
}

const ODD: &[&str] = &[
    "",
    " ",
    "a\nb",
    "a\rb",
    "a\0b",
    "\u{1b}[2J",
    "ä",
    "\u{202e}",
    "chatgpt.com",
    "https",
    "-1",
    "1e400",
    SECRET,
    "18446744073709551615",
    "https://a.example/%0a",
    "pending",
    "2026-01-01T00:00:00Z",
];

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => select(ODD).prop_map(str::to_owned),
        5 => Just(SECRET.to_owned()),
        4 => any::<String>(),
        1 => select(&[64_usize, 65, 201, 64_001][..]).prop_map(|length| "x".repeat(length)),
    ]
}

/// Generates objects with members of these names and any type.
fn json_of(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        odd_text().prop_map(Value::from),
    ];
    let inner = leaf.prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            object(names, inner).prop_map(Value::from),
        ]
    });
    object(names, inner).prop_map(Value::from)
}

fn object(
    names: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![9 => select(names).prop_map(str::to_owned), 1 => any::<String>()];
    vec((name, value), 0..8).prop_map(|members| members.into_iter().collect())
}

/// Generates variants of a valid document: some members, at the top or one level below, have another value.
fn nearly(good: &Value, names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let good = good.clone();
    let odd = prop_oneof![3 => odd_text().prop_map(Value::from), 1 => json_of(names)];
    vec((select(names), odd, any::<bool>()), 0..3).prop_map(move |odds| {
        let mut document = good.clone();
        for (name, value, below) in odds {
            match document.get_mut("tokens").filter(|tokens| below && tokens.is_object()) {
                Some(tokens) => tokens[name] = value,
                None => document[name] = value,
            }
        }
        document
    })
}

/// Generates the bytes of a document, cut or with a changed byte in some cases.
fn spoiled(document: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = proptest::option::of((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()));
    (document, change).prop_map(|(mut bytes, change)| {
        if let (Some((at, byte, cut)), false) = (change, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
        }
        bytes
    })
}

fn bytes_of(names: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    spoiled(json_of(names).prop_map(|json| json.to_string().into_bytes()))
}
