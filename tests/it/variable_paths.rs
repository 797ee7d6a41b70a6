//! Path variables that are relative, or have an unexpanded `~` or `$HOME`: the caller's working folder stays empty.

use crate::machine::{Machine, files};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use tempfile::TempDir;

const NOT_ABSOLUTE: [&str; 9] = [
    ".codex",
    "~/.codex",
    "~",
    "$HOME/.codex",
    "${HOME}",
    "%USERPROFILE%\\.codex",
    ".",
    "..",
    "\"/a\"",
];

/// Runs the program in `folder`, with the variables of `machine` and others. `HOME` counts only without `CODEX_HOME`.
fn run(machine: &Machine, folder: &Path, line: &str, changed: &[(&str, &str)]) -> Output {
    let mut command = machine.std_command(line);
    command.current_dir(folder);
    for (name, value) in changed {
        command.env(name, value);
        if *name == "HOME" {
            command.env_remove("CODEX_HOME").env_remove("XDG_STATE_HOME");
        }
    }
    command.output().unwrap()
}

fn empty_folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn path_that_is_not_absolute_is_refused_and_nothing_is_written() {
    let (machine, tokens) = Machine::signed_in(-1);
    let folder = empty_folder();
    let variables = [
        "CODEX_HOME",
        "HOME",
        "CODEX_CREDENTIAL_CONFIG",
        "CODEX_CREDENTIAL_TRACE",
        "CODEX_CA_CERTIFICATE",
    ];
    for variable in variables {
        for value in NOT_ABSOLUTE.into_iter().chain(["/home/ada/.codex\r"]) {
            for line in ["get --wait 20s", "token", "login", "status", "renew", "logout"] {
                let output = run(&machine, folder.path(), line, &[(variable, value)]);
                let says = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(2), "{variable}={value} {line}: {says}");
                let first = format!("codex-credential: {variable} ");
                assert!(says.contains(&first) && output.stdout.is_empty(), "{says}");
                assert!(!says.contains('\r'), "{says:?}");
            }
        }
    }
    assert_eq!(files(folder.path()).len(), 0);
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 0);
}

#[test]
fn warm_get_refuses_a_relative_path_too() {
    let (machine, _) = Machine::signed_in(864_000);
    let folder = empty_folder();
    // A planted login in the working folder is not answered.
    fs::copy(machine.path("auth.json"), folder.path().join("auth.json")).unwrap();
    for value in NOT_ABSOLUTE {
        let output = run(&machine, folder.path(), "get", &[("CODEX_HOME", value)]);
        assert_eq!(output.status.code(), Some(2), "{value}");
        assert!(output.stdout.is_empty(), "{value}");
    }
}

#[test]
fn relative_xdg_variables_are_ignored() {
    let mut machine = Machine::new();
    let (home, folder) = (empty_folder(), empty_folder());
    machine.set("HOME", home.path().to_str().unwrap());
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    for value in NOT_ABSOLUTE.into_iter().chain([""]) {
        let names = [
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "XDG_RUNTIME_DIR",
        ];
        let changed = names.map(|name| (name, value));
        let output = run(&machine, folder.path(), "get --interactive never", &changed);
        assert_eq!(output.status.code(), Some(3), "{value}: {output:?}");
        let output = run(&machine, folder.path(), "configure git", &changed);
        assert!(output.status.success(), "{value}: {output:?}");
    }
    let mut login = machine.std_command("login --wait 60s");
    login.current_dir(folder.path()).env("XDG_STATE_HOME", ".state").stderr(Stdio::piped());
    let login = login.spawn().unwrap();
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(files(folder.path()).len(), 0);
    assert_ne!(files(&home.path().join(".local/state")).len(), 0);
}

#[test]
fn tools_folder_that_is_not_absolute_is_refused() {
    let mut machine = Machine::new();
    let (home, folder) = (empty_folder(), empty_folder());
    machine.set("HOME", home.path().to_str().unwrap());
    for (tool, variable) in [
        ("git", "GIT_CONFIG_GLOBAL"),
        ("claude-code", "CLAUDE_CONFIG_DIR"),
        ("pi", "PI_CODING_AGENT_DIR"),
        ("docker", "DOCKER_CONFIG"),
    ] {
        for value in NOT_ABSOLUTE {
            let line = format!("configure {tool}");
            let output = run(&machine, folder.path(), &line, &[(variable, value)]);
            let says = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{variable}={value}: {says}");
            assert!(says.contains(variable), "{says}");
        }
    }
    assert_eq!((files(folder.path()).len(), files(home.path()).len()), (0, 0));
}

#[test]
fn path_key_with_an_unexpanded_variable_is_refused_with_its_line() {
    let (mut machine, _) = Machine::signed_in(3600);
    let config = machine.path("our.toml");
    machine.set("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap());
    for path in ["~/secret", "~", "$HOME/secret", "${HOME}/secret", "%USERPROFILE%\\\\secret"] {
        let key = format!("client_secret_file = \"{path}\"");
        let text =
            format!("[profiles.x]\nissuer = \"https://a.example\"\nclient_id = \"c\"\n{key}\n");
        fs::write(&config, text).unwrap();
        let output = run(&machine, machine.codex_home(), "get", &[]);
        let says = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{path}: {says}");
        assert!(says.contains("line 4") && says.contains("client_secret_file"), "{says}");
    }
}
