//! Quoting for each language that `configure` writes. Every function refuses control characters, so that no value can
//! end a line.

use crate::error::{Error, Kind, Result};

/// # Errors
/// `Usage` when `text` contains a control character.
pub fn refuse_control_characters(text: &str) -> Result<()> {
    if !text.contains(char::is_control) {
        return Ok(());
    }
    let message =
        format!("cannot write {text:?} to a configuration file: it has a control character");
    Err(Error::new(Kind::Usage, message).hint("use a path, URL or name without control characters"))
}

/// Quotes one word for a POSIX shell, if it needs quotes.
pub fn shell(word: &str) -> Result<String> {
    refuse_control_characters(word)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    let is_word = !word.is_empty() && word.chars().all(is_plain);
    Ok(if is_word { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) })
}

/// Returns the word that [`shell`] quoted.
pub fn from_shell(quoted: &str) -> String {
    let inner = quoted.strip_prefix('\'').and_then(|quoted| quoted.strip_suffix('\''));
    inner.map_or_else(|| quoted.to_owned(), |inner| inner.replace(r"'\''", "'"))
}

/// Escapes a shell command for a crontab, where `%` ends the command.
pub fn crontab(command: &str) -> Result<String> {
    refuse_control_characters(command)?;
    Ok(command.replace('%', r"\%"))
}

/// Quotes a string for TOML.
pub fn toml(text: &str) -> Result<String> {
    // Without control characters, every JSON string is a TOML string.
    json(text)
}

/// Quotes a string for JSON.
pub fn json(text: &str) -> Result<String> {
    refuse_control_characters(text)?;
    Ok(serde_json::Value::from(text).to_string())
}

/// Quotes a value for git's configuration, if it needs quotes.
pub fn git_config(value: &str) -> Result<String> {
    refuse_control_characters(value)?;
    let is_plain = !value.contains(['"', '\\', '#', ';']) && value.trim() == value;
    Ok(if is_plain { value.to_owned() } else { format!("\"{}\"", with_backslashes(value)) })
}

/// Quotes one argument for a .bazelrc, if it needs quotes.
///
/// # Errors
/// `Usage` for a character that cannot be quoted there.
pub fn bazelrc(argument: &str) -> Result<String> {
    refuse_control_characters(argument)?;
    if argument.contains(['\'', '\\', '%']) {
        let message =
            format!("cannot write {argument} to a .bazelrc: it has a quote, backslash or %");
        return Err(Error::new(Kind::Usage, message).hint("install the program in another folder"));
    }
    let is_plain = !argument.contains(|c: char| c.is_whitespace() || "\"#".contains(c));
    Ok(if is_plain { argument.to_owned() } else { format!("'{argument}'") })
}

/// Quotes one word for a systemd unit: an assignment of `Environment=`, or the path of `ExecStart=`. systemd expands
/// specifiers (`%`) in both, and variables (`$`) in neither.
pub fn systemd(word: &str) -> Result<String> {
    refuse_control_characters(word)?;
    Ok(format!("\"{}\"", with_backslashes(word).replace('%', "%%")))
}

/// Escapes the text of an XML element, for launchd's property lists.
pub fn xml(text: &str) -> Result<String> {
    refuse_control_characters(text)?;
    Ok(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

fn with_backslashes(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const WORDS: [&str; 6] = [
        "/usr/bin/codex-credential",
        "",
        " it's \"odd\" ",
        r"C:\Program Files\x",
        "$HOME `id`; # & <b> * ?",
        "ü 100% {}",
    ];

    fn stdout(program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn shell_reads_back_each_word() {
        for word in WORDS {
            let quoted = shell(word).unwrap();
            assert_eq!(from_shell(&quoted), word);
            if cfg!(unix) {
                assert_eq!(stdout("sh", &["-c", &format!("printf %s {quoted}")]), word);
            }
        }
    }

    #[test]
    fn toml_and_json_read_back_each_string() {
        for word in WORDS {
            let table: ::toml::Table = format!("x = {}", toml(word).unwrap()).parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(word));
            assert_eq!(serde_json::from_str::<String>(&json(word).unwrap()).unwrap(), word);
        }
    }

    #[test]
    fn git_reads_back_each_value() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        for word in WORDS {
            std::fs::write(&file, format!("[a]\n\tb = {}\n", git_config(word).unwrap())).unwrap();
            let file = file.to_str().unwrap();
            assert_eq!(
                stdout("git", &["config", "--null", "--file", file, "a.b"]),
                format!("{word}\0")
            );
        }
    }

    #[test]
    fn systemd_word_has_no_specifier() {
        assert_eq!(systemd(r#"100% $HOME "x" \"#).unwrap(), r#""100%% $HOME \"x\" \\""#);
    }

    #[test]
    fn crontab_and_xml_escape_their_special_characters() {
        assert_eq!(crontab("date +%s").unwrap(), r"date +\%s");
        assert_eq!(xml("<a> & b").unwrap(), "&lt;a&gt; &amp; b");
    }

    #[test]
    fn control_characters_are_refused_in_each_language() {
        let languages = [shell, crontab, toml, json, git_config, bazelrc, systemd, xml];
        for text in ["a\nb", "a\rb", "a\tb", "\0", "\u{1b}[2J", "\u{7f}", "\u{85}"] {
            for quote in languages {
                let error = quote(text).unwrap_err();
                assert_eq!(error.kind, Kind::Usage);
                assert!(!error.text().contains(text), "{error}");
            }
        }
    }
}
