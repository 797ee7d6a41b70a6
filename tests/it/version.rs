//! `--version` and shell completions.

use crate::machine::Machine;
use std::path::Path;
use std::process::Command;
use std::str::from_utf8;

fn text(arguments: &str) -> String {
    let machine = Machine::new();
    let output = machine.command(arguments).assert().success();
    from_utf8(&output.get_output().stdout).unwrap().to_owned()
}

#[test]
fn version_of_both_programs_is_release_commit_and_date() {
    let version = text("--version");
    assert!(
        version.starts_with(concat!("codex-credential ", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    let full = assert_cmd::cargo::cargo_bin("codex-credential-full");
    let output = Command::new(full).arg("--version").output().unwrap();
    assert_eq!(from_utf8(&output.stdout).unwrap(), version);

    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !sources.join(".git").exists() {
        return;
    }
    let mut git = Command::new("git");
    let git = git.current_dir(sources).args(["log", "-1", "--abbrev=9", "--format= (%h %cs)"]);
    let commit = from_utf8(&git.output().unwrap().stdout).unwrap().trim_end().to_owned();
    assert!(version.trim_end().ends_with(&commit), "{version} does not end with{commit}");
}

#[test]
fn completions_of_each_shell_contain_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = text(&format!("completions {shell}"));
        for word in ["unconfigure", "min-validity"] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
    }
}

#[test]
fn bash_completes_a_command() {
    let script = text("completions bash");
    let complete = "COMP_WORDS=(codex-credential unc) COMP_CWORD=1
        _codex__credential codex-credential unc codex-credential
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output =
        Command::new("bash").args(["-c", &format!("{script}\n{complete}")]).output().unwrap();
    assert_eq!(from_utf8(&output.stdout).unwrap(), "unconfigure\n");
}
