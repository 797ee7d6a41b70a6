//! One member of a JSON file, with or without comments.
//!
//! jsonc-parser's syntax tree gives the positions, and we insert and remove the text ourselves: the crate's own edits
//! reformat a one-line object and can drop a comment. The member goes first in its object, so that no other comma
//! changes. The text records what to restore: an object that we added has exactly one space inside each brace, and a
//! file that we made has exactly the form of `new_file`.

use crate::configure::entry::{Entry, EntryState};
use crate::configure::text_file::{line_of, malformed};
use crate::error::Result;
use crate::quote;
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use std::path::PathBuf;

pub struct JsonMember {
    pub path: PathBuf,
    /// The names that lead from the root to the member, its own name last.
    pub names: Vec<String>,
    pub value: serde_json::Value,
    /// Tells whether another value was written by configure.
    pub is_ours: Box<dyn Fn(&serde_json::Value) -> bool>,
}

/// The members on the way to ours, each as its object and its index there. The last is ours if all of them exist.
type Way<'t> = Vec<(&'t Object<'t>, usize)>;

impl JsonMember {
    fn parse<'a>(&self, text: &'a str) -> Result<Object<'a>> {
        // The tool itself refuses a syntax that it does not know.
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
            malformed(&self.path, error.line_display(), &error.kind().to_string())
        })?;
        match parsed.value {
            Some(Value::Object(object)) => Ok(object),
            _ => Err(malformed(&self.path, 1, "not a JSON object")),
        }
    }

    /// Follows the names from `root` as far as they exist.
    fn find<'t>(&self, text: &str, root: &'t Object<'t>) -> Result<Way<'t>> {
        let (mut object, mut way) = (root, Way::new());
        for (depth, name) in self.names.iter().enumerate() {
            // Parsers use the last of several members with one name.
            let found = object.properties.iter().rposition(|prop| prop.name.as_str() == name);
            let Some(index) = found else { break };
            way.push((object, index));
            if depth + 1 == self.names.len() {
                break;
            }
            let prop = &object.properties[index];
            let Some(inner) = prop.value.as_object() else {
                let line = line_of(text.as_bytes(), prop.start());
                return Err(malformed(&self.path, line, &format!("{name} is not an object")));
            };
            object = inner;
        }
        Ok(way)
    }

    /// Returns `"name": value`, inside objects for the names before the last.
    fn member(&self, names: &[String]) -> String {
        let mut value = self.value.to_string();
        for name in names.iter().skip(1).rev() {
            value = format!("{{ {}: {value} }}", quote::json(name));
        }
        format!("{}: {value}", quote::json(&names[0]))
    }
}

fn prop<'t>(way: &Way<'t>) -> Option<&'t ObjectProp<'t>> {
    way.last().map(|(object, index)| &object.properties[*index])
}

impl Entry for JsonMember {
    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let Some(text) = text else { return Ok(EntryState::Absent) };
        let root = self.parse(text)?;
        let way = self.find(text, &root)?;
        let Some(prop) = prop(&way).filter(|_| way.len() == self.names.len()) else {
            return Ok(EntryState::Absent);
        };
        let value = serde_json::from_str(prop.value.text(text)).unwrap_or_default();
        Ok(if value == self.value {
            EntryState::Current
        } else if (self.is_ours)(&value) {
            EntryState::Outdated
        } else {
            EntryState::Other(format!("already has another {}", self.names.join(".")))
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let Some(text) = text else { return Ok(new_file(&self.member(&self.names))) };
        let root = self.parse(text)?;
        let way = self.find(text, &root)?;
        let object = prop(&way).and_then(|prop| prop.value.as_object()).unwrap_or(&root);
        let at = object.start() + 1;
        // The white space of the present first member.
        let blank = text[at..].len() - text[at..].trim_start().len();
        let (blank, comma) = match object.properties.as_slice() {
            [] => ("", ""),
            _ => (&text[at..at + blank], ","),
        };
        let member = self.member(&self.names[way.len()..]);
        Ok(format!("{}{blank}{member}{comma}{}", &text[..at], &text[at..]))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let root = self.parse(text)?;
        let mut way = self.find(text, &root)?;
        // An object that we added is removed with its member.
        while let [.., (outer, at), (object, index)] = way[..] {
            let is_ours = format!("{{ {} }}", object.properties[index].text(text));
            if outer.properties[at].value.text(text) != is_ours {
                break;
            }
            way.pop();
        }
        let Some((object, index)) = way.pop() else { return Ok(Some(text.to_owned())) };
        let is_new_file = text == new_file(object.properties[index].text(text));
        Ok((!is_new_file).then(|| without(text, object, index)))
    }
}

fn new_file(member: &str) -> String {
    format!("{{\n  {member}\n}}\n")
}

/// Returns `text` without a member, the white space before it, and the comma that only it needed.
fn without(text: &str, object: &Object, index: usize) -> String {
    let comma_after = |prop: &ObjectProp| {
        let rest = text[prop.end()..].trim_start();
        rest.starts_with(',').then_some(text.len() - rest.len())
    };
    let member = &object.properties[index];
    let start = text[..member.start()].trim_end().len();
    if let Some(comma) = comma_after(member) {
        return format!("{}{}", &text[..start], &text[comma + 1..]);
    }
    let comma = index.checked_sub(1).and_then(|before| comma_after(&object.properties[before]));
    match comma.filter(|comma| *comma < start) {
        Some(comma) => {
            format!("{}{}{}", &text[..comma], &text[comma + 1..start], &text[member.end()..])
        }
        None => format!("{}{}", &text[..start], &text[member.end()..]),
    }
}
