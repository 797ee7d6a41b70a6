//! Presets of `profile add`: what a vendor's authorization server needs, from the table `presets.toml`.

use crate::error::{Error, Kind, Result};
use crate::profile::profile_table::ProfileTable;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TABLE: &str = include_str!("presets.toml");

/// The names, in the order of the table.
pub const NAMES: [&str; 7] = ["github", "gitlab", "google", "entra", "okta", "auth0", "keycloak"];

/// Returns the profile of the preset `name`, with the keys of `given` in place of the preset's. `value_of` is asked for what
/// the table has in braces, by its name.
///
/// # Errors
/// That of `value_of`, and `Usage` for a value that the key does not allow.
pub fn profile(
    name: &str,
    given: &ProfileTable,
    mut value_of: impl FnMut(&str) -> Result<String>,
) -> Result<ProfileTable> {
    let presets: BTreeMap<String, BTreeMap<String, Value>> =
        toml::from_str(TABLE).expect("the table can be read");
    let mut keys = presets.get(name).cloned().unwrap_or_default();
    let given = json!(given);
    for (key, value) in given.as_object().into_iter().flatten().filter(|(_, it)| !it.is_null()) {
        keys.insert(key.clone(), value.clone());
    }
    let mut known = BTreeMap::new();
    for value in keys.values_mut() {
        match value {
            Value::String(text) => *text = filled(text, &mut known, &mut value_of)?,
            Value::Array(list) => {
                for item in list.iter_mut() {
                    let text = item.as_str().unwrap_or_default();
                    *item = filled(text, &mut known, &mut value_of)?.into();
                }
            }
            _ => {}
        }
    }
    serde_json::from_value(json!(keys)).map_err(|error| {
        Error::new(Kind::Usage, format!("the preset {name} does not fit: {error}"))
    })
}

/// Fills in the braces of `text`. Each value is asked for once.
fn filled(
    text: &str,
    known: &mut BTreeMap<String, String>,
    value_of: &mut impl FnMut(&str) -> Result<String>,
) -> Result<String> {
    let Some((before, rest)) = text.split_once('{') else { return Ok(text.to_owned()) };
    let Some((name, after)) = rest.split_once('}') else { return Ok(text.to_owned()) };
    if !known.contains_key(name) {
        known.insert(name.to_owned(), value_of(name)?);
    }
    let value = known[name].clone();
    Ok(format!("{before}{value}{}", filled(after, known, value_of)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(preset: &str) -> ProfileTable {
        let value = |name: &str| Ok(format!("{name}.example"));
        profile(preset, &ProfileTable::default(), value).unwrap()
    }

    #[test]
    fn each_preset_is_a_valid_profile() {
        for name in NAMES {
            let profile = example(name);
            assert_eq!(profile.client_id.as_deref(), Some("client-id.example"), "{name}");
            assert!(profile.issuer.unwrap().starts_with("https://"));
        }
        let issuer = example("entra").issuer.unwrap().to_string();
        assert_eq!(issuer, "https://login.microsoftonline.com/tenant.example/v2.0");
    }

    #[test]
    fn given_keys_replace_those_of_the_preset_and_nothing_is_asked_for_them() {
        let given = ProfileTable {
            client_id: Some("mine".parse().unwrap()),
            scope: Some("repo".parse().unwrap()),
            ..ProfileTable::default()
        };
        let profile = profile("github", &given, |name| panic!("asked for {name}")).unwrap();
        assert_eq!(profile.scope.as_deref(), Some("repo"));
        assert_eq!(profile.client_id.as_deref(), Some("mine"));
        assert_eq!(profile.git_username.as_deref(), Some("x-access-token"));
    }

    #[test]
    fn value_that_makes_no_url_is_an_error() {
        let error = profile("okta", &ProfileTable::default(), |_| Ok("a b".into())).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
    }
}
