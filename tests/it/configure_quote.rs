//! Quoting in the languages that configure writes: each is read back by its own reader.

use codex_credential::configure::program::Program;
use codex_credential::configure::quote::{
    git_config, json, refuse_control_characters, shell, systemd, xml,
};
use codex_credential::error::Kind;
use std::path::Path;
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
        let quoted = shell(word);
        assert_eq!(stdout("sh", &["-c", &format!("printf %s {quoted}")]), word);
    }
}

#[test]
fn toml_and_json_read_back_each_string() {
    for word in WORDS {
        let table: toml::Table = format!("x = {}", json(word)).parse().unwrap();
        assert_eq!(table["x"].as_str(), Some(word));
        assert_eq!(serde_json::from_str::<String>(&json(word)).unwrap(), word);
    }
}

#[test]
fn git_reads_back_each_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    for word in WORDS {
        std::fs::write(&file, format!("[a]\n\tb = {}\n", git_config(word))).unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(
            stdout("git", &["config", "--null", "--file", file, "a.b"]),
            format!("{word}\0")
        );
    }
}

#[test]
fn systemd_word_has_no_specifier() {
    assert_eq!(systemd(r#"100% $HOME "x" \"#), r#""100%% $HOME \"x\" \\""#);
}

#[test]
fn xml_escapes_its_special_characters() {
    assert_eq!(xml("<a> & b"), "&lt;a&gt; &amp; b");
}

#[test]
fn control_characters_are_refused_in_urls_and_paths() {
    for text in ["a\nb", "a\rb", "a\tb", "\0", "\u{1b}[2J", "\u{7f}", "\u{85}"] {
        let path = Path::new("/opt").join(text).join("codex-credential");
        let refused = [refuse_control_characters(text), Program::at(&path, None).map(drop)];
        for result in refused {
            let error = result.unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(!error.text().contains(text), "{error}");
        }
    }
}
