//! Quoting: one function for each language in which this program writes a command, a path or a name. All texts are one line.

use crate::error::{Error, Kind, Result};
use std::path::Path;

/// # Errors
/// `Usage` if the text has a control character, or one that XML 1.0 does not allow.
pub fn refuse_control_characters(text: &str) -> Result<()> {
    if !text.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
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

/// Quotes a path for a shell command in a message.
pub fn shell_path(path: &Path) -> String {
    shell(&path.to_string_lossy())
}

/// Quotes one word for the command of a crontab, which the shell runs. Crons differ in what `%`, `\%` and `\\` mean, so the
/// shell makes these characters.
pub fn crontab(word: &str) -> String {
    let parts = word.split_inclusive(['%', '\\']).map(|part| {
        let (text, code) = match part.strip_suffix('%') {
            Some(text) => (text, "045"),
            None => match part.strip_suffix('\\') {
                Some(text) => (text, "134"),
                None => return shell(part),
            },
        };
        let text = if text.is_empty() { String::new() } else { shell(text) };
        format!("{text}\"$(printf '\\{code}')\"")
    });
    if word.is_empty() { shell(word) } else { parts.collect() }
}

/// Quotes a string for JSON, and for TOML: without control characters, every JSON string is a TOML string.
pub fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Quotes a value for git's configuration, if it needs quotes.
pub fn git_config(value: &str) -> String {
    let is_plain = !value.contains(['"', '\\', '#', ';']) && value.trim() == value;
    if is_plain { value.to_owned() } else { format!("\"{}\"", with_backslashes(value, '"')) }
}

/// Quotes one option for a `.bazelrc`, in which a backslash makes the next character plain, also between quotes.
pub fn bazelrc(option: &str) -> String {
    format!("'{}'", with_backslashes(option, '\''))
}

/// Quotes an assignment for `Environment=` of a systemd unit, where specifiers (`%`) are expanded.
pub fn systemd(word: &str) -> String {
    format!("\"{}\"", with_backslashes(word, '"').replace('%', "%%"))
}

/// Quotes an argument of `ExecStart=` in a systemd unit, where specifiers (`%`) and variables (`$`) are expanded.
pub fn systemd_argument(word: &str) -> String {
    systemd(word).replace('$', "$$")
}

/// Escapes the text of an XML element, for launchd's property lists.
pub fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn with_backslashes(text: &str, quote: char) -> String {
    text.replace('\\', r"\\").replace(quote, &format!("\\{quote}"))
}
