//! What configure adds to generated files, unconfigure removes to the byte.

use codex_credential::configure::entry::{Entry, EntryState};
use codex_credential::configure::json_member::JsonMember;
use codex_credential::configure::lines::{Format, Lines};
use codex_credential::configure::program::Program;
use codex_credential::configure::table_key::TableKey;
use codex_credential::quote;
use proptest::prelude::*;
use proptest::sample::select;
use std::path::{Path, PathBuf};

/// Checks that adding and removing the entry restores `text`. Returns the text with the entry, or `None` if `text`
/// cannot have it.
fn restores(entry: &dyn Entry, text: Option<&str>) -> Result<Option<String>, TestCaseError> {
    if !matches!(entry.state(text), Ok(EntryState::Absent)) {
        return Ok(None);
    }
    let Ok(added) = entry.add(text) else { return Ok(None) };
    let state = entry.state(Some(&added)).map_err(|error| TestCaseError::fail(error.text()))?;
    prop_assert!(matches!(state, EntryState::Current), "not current: {added:?}");
    let removed = entry.remove(&added).map_err(|error| TestCaseError::fail(error.text()))?;
    prop_assert_eq!(removed.as_deref(), text, "from {:?}", added);
    Ok(Some(added))
}

fn program() -> Program {
    let path = Path::new("/opt/a \"b\" '\\/codex-credential");
    Program::at(path, Some("company".into())).unwrap()
}

fn provider(name: &str) -> Lines {
    let command = quote::json(&program().path);
    let lines = [
        (format!("[model_providers.{name}]"), String::new()),
        ("name = ".to_owned(), quote::json(name)),
        (format!("[model_providers.{name}.auth]"), String::new()),
        ("command = ".to_owned(), command),
    ];
    let undo = "codex-credential unconfigure codex".to_owned();
    Lines { path: PathBuf::new(), undo, lines: lines.into(), format: Format::TomlTables }
}

fn keys() -> Lines {
    let lines = [
        ("e_ours = ".to_owned(), quote::json(&program().path)),
        ("f_ours = 1".to_owned(), String::new()),
    ];
    let undo = "codex-credential unconfigure codex".to_owned();
    Lines { path: PathBuf::new(), undo, lines: lines.into(), format: Format::TomlKeys }
}

fn table_key() -> TableKey {
    TableKey {
        path: PathBuf::new(),
        table: vec!["model_providers".into(), "ours".into()],
        key: "helper".into(),
        value: program().headers_command(),
        is_ours: Box::new(|_| false),
    }
}

fn member(names: &[&str]) -> JsonMember {
    JsonMember {
        path: PathBuf::new(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        value: program().token_command().into(),
        is_ours: Box::new(|_| false),
    }
}

fn newline() -> impl Strategy<Value = &'static str> {
    select(vec!["\n", "\n", "\r\n"])
}

/// TOML in lines of mixed line ends; some of it is not valid.
fn toml_text() -> impl Strategy<Value = String> {
    let line = select(vec![
        "",
        "  ",
        "# comment",
        "\t# [model_providers.ours] \\",
        "a = 1",
        "b . c = 'x' # dots",
        "\"d e\".f = { g = 1, h = { i = [ ] } }",
        "j = [\n  1, # one\n  [2],\n]",
        "k = \"\"\"\n[model_providers.ours]\n\\\n\"\"\"",
        "model_providers.x.name = 'y'",
        "model_providers.ours.name = 'mine'",
        "model_providers = { }",
        "model_providers = { x = { name = 'y' } }",
        "[model_providers]",
        "[model_providers.ours]",
        "[ model_providers . ours ] # mine",
        "[model_providers.ours.http_headers]",
        "[model_providers.y]",
        "ours = { name = 'inline' }",
        "base_url = 'http://127.0.0.1'",
        "[l]",
        "\t[ l . m ]",
        "[[n]]",
    ]);
    let lines = prop::collection::vec((line, newline()), 0..9);
    (select(vec!["", "", "\u{feff}"]), lines, any::<bool>()).prop_map(|(mark, lines, is_ended)| {
        let count = lines.len();
        let mut text = mark.to_owned();
        for (index, (line, newline)) in lines.into_iter().enumerate() {
            text.push_str(line);
            text.push_str(if index + 1 < count || is_ended { newline } else { "" });
        }
        text
    })
}

/// White space and comments between the tokens of JSON.
fn blank() -> impl Strategy<Value = String> {
    let part = select(vec!["", "", " ", "\t", "\n", "\r\n", "\n  ", "/* , } */", "// {,\n"]);
    prop::collection::vec(part, 0..3).prop_map(|parts| parts.concat())
}

/// A JSON value; an object may have a comma at its end.
fn json_value() -> impl Strategy<Value = String> {
    let scalar = select(vec!["1", "null", "\"x, }\"", "[]", "[1, 2,]", "{}", "{ }"]);
    scalar.prop_map(str::to_owned).boxed().prop_recursive(3, 12, 4, |value| {
        let name = select(vec!["a", "b", "providers", "ours", "\\u0061"]);
        let member = (name, blank(), blank(), value, blank());
        let members = prop::collection::vec(member, 0..4);
        (blank(), members, select(vec!["", ","]), blank()).prop_map(
            |(before, members, comma, after)| {
                let comma = if members.is_empty() { "" } else { comma };
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, a, b, value, c)| format!("\"{name}\"{a}:{b}{value}{c}"))
                    .collect();
                format!("{{{before}{}{comma}{after}}}", members.join(","))
            },
        )
    })
}

fn json_file() -> impl Strategy<Value = String> {
    (blank(), json_value(), blank()).prop_map(|(before, value, after)| before + &value + &after)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn removed_provider_restores_toml(text in toml_text()) {
        if let Some(added) = restores(&provider("ours"), Some(&text))? {
            // Another provider after it, and removed in the other order.
            let other = provider("other");
            if let Ok(both) = other.add(Some(&added)) {
                let rest = provider("ours").remove(&both);
                let rest = rest.map_err(|error| TestCaseError::fail(error.text()))?.unwrap();
                prop_assert_eq!(other.remove(&rest).unwrap(), Some(text));
            }
        }
    }

    #[test]
    fn removed_keys_restore_toml(text in toml_text()) {
        if let Some(added) = restores(&keys(), Some(&text))? {
            let table: toml::Table = toml::from_str(&added).map_err(|error| {
                TestCaseError::fail(error.to_string())
            })?;
            prop_assert!(table.contains_key("e_ours"), "not in the root table: {added:?}");
        }
    }

    #[test]
    fn removed_key_of_a_table_restores_toml(text in toml_text()) {
        if let Some(added) = restores(&table_key(), Some(&text))? {
            let table: toml::Table = toml::from_str(&added).map_err(|error| {
                TestCaseError::fail(error.to_string())
            })?;
            let written = table["model_providers"]["ours"]["helper"].as_str();
            prop_assert_eq!(written, Some(&*table_key().value));
        }
    }

    #[test]
    fn removed_member_restores_json(text in json_file()) {
        restores(&member(&["ours"]), Some(&text))?;
        if let Some(added) = restores(&member(&["providers", "ours"]), Some(&text))? {
            restores(&member(&["providers", "other"]), Some(&added))?;
        }
    }
}

#[test]
fn removed_entry_removes_the_new_file() {
    for names in [&["ours"][..], &["providers", "ours"]] {
        assert!(restores(&member(names), None).unwrap().is_some());
    }
    assert!(restores(&provider("ours"), None).unwrap().is_some());
    assert!(restores(&keys(), None).unwrap().is_some());
}
