//! Quoting for each language that `configure` writes, for text on one line.

use crate::error::{Error, Kind, Result};

pub fn refuse_control_characters(text: &str) -> Result<()> {
    if !text.contains(char::is_control) {
        return Ok(());
    }
    let message =
        format!("cannot write {text:?} to a configuration file: it has a control character");
    Err(Error::new(Kind::Usage, message).hint("use a path, URL or name without control characters"))
}

/// Quotes one word for a POSIX shell, if it needs quotes.
pub fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    let is_word = !word.is_empty() && word.chars().all(is_plain);
    if is_word { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Quotes a string for JSON, and for TOML: without control characters, every JSON string is a TOML string.
pub fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Quotes a value for git's configuration, if it needs quotes.
pub fn git_config(value: &str) -> String {
    let is_plain = !value.contains(['"', '\\', '#', ';']) && value.trim() == value;
    if is_plain { value.to_owned() } else { format!("\"{}\"", with_backslashes(value)) }
}

/// Quotes one word for a systemd unit: an assignment of `Environment=`, or the path of `ExecStart=`. systemd expands
/// specifiers (`%`) in both, and variables (`$`) in neither.
pub fn systemd(word: &str) -> String {
    format!("\"{}\"", with_backslashes(word).replace('%', "%%"))
}

/// Escapes the text of an XML element, for launchd's property lists.
pub fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn with_backslashes(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"")
}
