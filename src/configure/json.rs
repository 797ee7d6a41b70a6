//! One member of a JSON file, with or without comments, put in and taken out with every other byte left alone.
//!
//! It goes first in its object, so that no comma of another's has to change. What has to be known to undo it is in
//! the form: an object that we made on the way has one space inside each brace, which no other insertion leaves so;
//! a file that we made is recognized whole.

use crate::configure::entry::{Entry, State};
use crate::configure::file::{line_of, malformed};
use crate::error::Result;
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use std::path::{Path, PathBuf};

pub struct Member {
    pub path: PathBuf,
    /// The names on the way to it.
    pub names: Vec<String>,
    pub value: serde_json::Value,
    /// Whether a value in this place is one that we wrote.
    pub is_ours: Box<dyn Fn(&serde_json::Value) -> bool>,
    /// Where the tool will send the token, where the value says it.
    pub sends_to: Option<String>,
}

impl Entry for Member {
    fn path(&self) -> &Path {
        &self.path
    }

    fn sends_to(&self, _: Option<&str>) -> Result<Option<String>> {
        Ok(self.sends_to.clone())
    }

    fn state(&self, text: Option<&str>) -> Result<State> {
        let Some(text) = text else { return Ok(State::Absent) };
        let root = self.parse(text)?;
        let (mut object, mut found) = (&root, None);
        for name in &self.names {
            found = object.properties.iter().rev().find(|prop| prop.name.as_str() == name);
            match found.map(|prop| &prop.value) {
                Some(Value::Object(inner)) => object = inner,
                Some(_) if self.names.last() != Some(name) => {
                    let line = line_of(text.as_bytes(), found.map_or(0, Ranged::start));
                    return Err(malformed(&self.path, line, &format!("{name} is no object")));
                }
                Some(_) => {}
                None => return Ok(State::Absent),
            }
        }
        let Some(found) = found else { return Ok(State::Absent) };
        let value = serde_json::from_str(found.value.text(text)).unwrap_or_default();
        Ok(if value == self.value {
            State::Current
        } else if (self.is_ours)(&value) {
            State::Outdated
        } else {
            State::Another(format!("already has {}, which is another's", self.names.join(".")))
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let Some(text) = text else { return Ok(new_file(&self.member(&self.names))) };
        let root = self.parse(text)?;
        let (mut object, mut names) = (&root, self.names.as_slice());
        while let Some(prop) = object.properties.iter().rev().find(|p| p.name.as_str() == names[0])
        {
            let Value::Object(inner) = &prop.value else { break };
            (object, names) = (inner, &names[1..]);
        }
        let at = object.start() + 1;
        let inside = &text[at..object.end() - 1];
        let rest = inside.trim_start();
        let blank = &inside[..inside.len() - rest.len()];
        let line_end = blank.rfind('\n').map(|at| at - usize::from(blank[..at].ends_with('\r')));
        let lead = match line_end {
            Some(line_end) if rest.is_empty() => format!("{}\t", &blank[line_end..]),
            Some(line_end) => blank[line_end..].to_owned(),
            None if rest.is_empty() => String::new(),
            None => blank.to_owned(),
        };
        let comma = if object.properties.is_empty() { "" } else { "," };
        Ok(format!("{}{lead}{}{comma}{}", &text[..at], self.member(names), &text[at..]))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let root = self.parse(text)?;
        let mut way: Vec<(&Object, usize)> = Vec::new();
        for name in &self.names {
            let object = way
                .last()
                .map_or(Some(&root), |(object, index)| object.properties[*index].value.as_object());
            let Some(object) = object else { return Ok(Some(text.to_owned())) };
            let index = object.properties.iter().rposition(|prop| prop.name.as_str() == name);
            let Some(index) = index else { return Ok(Some(text.to_owned())) };
            way.push((object, index));
        }
        let (mut object, mut index) = way.pop().expect("a member has a name");
        // An object that we made goes with what we put in it.
        while let Some(outer) = way.pop() {
            let member = &object.properties[index];
            if object.text(text) != format!("{{ {} }}", member.text(text)) {
                break;
            }
            (object, index) = outer;
        }
        if text == new_file(object.properties[index].text(text)) {
            return Ok(None);
        }
        Ok(Some(without(text, object, index)))
    }

    fn replace(&self, text: &str) -> Result<(String, bool)> {
        let root = self.parse(text)?;
        let mut object = &root;
        for name in &self.names {
            let found = object.properties.iter().rev().find(|prop| prop.name.as_str() == name);
            let Some(prop) = found else { break };
            if self.names.last() == Some(name) {
                let (start, end) = (prop.value.start(), prop.value.end());
                return Ok((format!("{}{}{}", &text[..start], self.value, &text[end..]), true));
            }
            let Some(inner) = prop.value.as_object() else { break };
            object = inner;
        }
        Ok((self.add(Some(text))?, false))
    }
}

impl Member {
    fn parse<'a>(&self, text: &'a str) -> Result<Object<'a>> {
        let options = ParseOptions {
            allow_comments: true,
            allow_trailing_commas: true,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
            malformed(&self.path, error.line_display(), &error.kind().to_string())
        })?;
        match parsed.value {
            Some(Value::Object(object)) => Ok(object),
            _ => Err(malformed(&self.path, 1, "this is no JSON object")),
        }
    }

    /// `"name": value`, with the objects between them.
    fn member(&self, names: &[String]) -> String {
        let quoted = |name: &str| serde_json::Value::from(name).to_string();
        let (last, outer) = names.split_last().expect("a member has a name");
        let member = format!("{}: {}", quoted(last), self.value);
        outer.iter().rev().fold(member, |inner, name| format!("{}: {{ {inner} }}", quoted(name)))
    }
}

fn new_file(member: &str) -> String {
    format!("{{\n  {member}\n}}\n")
}

/// `text` without a member, the blank before it and the comma that only it needs.
fn without(text: &str, object: &Object, index: usize) -> String {
    let blank_after = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    let comma_after = |prop: &ObjectProp| {
        let at = blank_after(prop.end());
        text[at..].starts_with(',').then_some(at)
    };
    let ours = &object.properties[index];
    let start = text[..ours.start()].trim_end().len();
    if let Some(comma) = comma_after(ours) {
        return format!("{}{}", &text[..start], &text[comma + 1..]);
    }
    let comma = index.checked_sub(1).and_then(|before| comma_after(&object.properties[before]));
    let Some(comma) = comma.filter(|comma| *comma < start) else {
        return format!("{}{}", &text[..start], &text[ours.end()..]);
    };
    format!("{}{}{}", &text[..comma], &text[comma + 1..start], &text[ours.end()..])
}
