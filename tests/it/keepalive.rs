//! `configure keepalive`: renewal on a machine where no program asks for a token for days.

use crate::configure::{ODD, User};
use crate::machine::Machine;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::process::Command;

#[test]
fn without_a_service_manager_a_crontab_line_is_printed() {
    let machine = Machine::new();
    let mut command = machine.command("configure keepalive");
    let output = command.env("HOME", machine.codex_home()).assert().success();
    let home = machine.codex_home().to_str().unwrap();
    output
        .stdout(contains("17 */6 * * * CODEX_HOME=").and(contains(home)).and(contains("renew")))
        .stderr(contains("systemd"));
    let mut command = machine.command("unconfigure keepalive");
    command.env("HOME", machine.codex_home()).assert().success().stderr(contains("crontab -e"));
    assert_eq!(fs::read_dir(machine.codex_home()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn crontab_line_in_odd_folders_renews_when_due_and_never_starts_a_sign_in() {
    let user = User::with_program_in(ODD);
    let home = user.machine.codex_home().join(format!("home {ODD}"));
    fs::create_dir(&home).unwrap();
    user.machine.aged_sign_in(400, 3600);
    let auth_json = home.join("auth.json");
    fs::rename(user.machine.path("auth.json"), &auth_json).unwrap();
    let before = fs::read(&auth_json).unwrap();
    let output = user.run("configure keepalive").env("CODEX_HOME", &home).assert().success();
    let line = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let shell_command = line.splitn(6, ' ').nth(5).unwrap();
    let run = || {
        let mut shell = Command::new("sh");
        shell.env_clear().env("CODEX_CREDENTIAL_ISSUER", user.machine.issuer.url());
        shell.args(["-c", shell_command]).output().unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_ne!(fs::read(&auth_json).unwrap(), before);
    assert!(run().status.success());
    assert_eq!(user.machine.issuer.counts().refreshes, 1);
    fs::remove_file(&auth_json).unwrap();
    let output = run();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(user.machine.issuer.counts().user_codes, 0);
}

#[test]
fn every_variable_that_chooses_the_login_is_written() {
    let machine = Machine::new();
    let variables = [
        ("CODEX_CREDENTIAL_STORAGE", "keyring"),
        ("CODEX_CREDENTIAL_CLIENT_ID", "other"),
        ("XDG_STATE_HOME", "/state folder"),
        ("CODEX_CA_CERTIFICATE", "/ca.pem"),
        ("SSL_CERT_FILE", "/all.pem"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("no_proxy", "localhost"),
    ];
    let config = machine.path("my.toml");
    fs::write(&config, "").unwrap();
    let mut command = machine.command("configure keepalive --print");
    command.env("HOME", machine.codex_home()).env("CODEX_CREDENTIAL_CONFIG", &config);
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus").envs(variables);
    let output = command.assert().success();
    let shown = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let (units, cron) = shown.split_once("# or, with crontab -e:").unwrap();
    let issuer = machine.issuer.url();
    let more = [
        ("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap()),
        ("CODEX_CREDENTIAL_ISSUER", issuer.as_str()),
    ];
    for (name, value) in variables.into_iter().chain(more) {
        assert!(
            units.lines().any(|line| {
                line.starts_with("Environment=") && line.contains(&format!("{name}={value}"))
            }),
            "{name}: {units}"
        );
        assert!(cron.contains(&format!(" {name}=")) && cron.contains(value), "{name}: {cron}");
    }
    assert!(cron.contains(" DBUS_SESSION_BUS_ADDRESS=") && !units.contains("DBUS"));
}

#[test]
fn account_or_password_that_a_timer_cannot_have_is_refused() {
    let machine = Machine::new();
    let run = |line: &str, proxy: &str| {
        let mut command = machine.command(line);
        command.env("HOME", machine.codex_home()).env("HTTPS_PROXY", proxy).assert().code(2)
    };
    let output = run("configure keepalive", "http://ada:made-up@proxy.example:3128");
    output.stderr(contains("HTTPS_PROXY has a password").and(contains("made-up").not()));
    let output = run("configure keepalive --account ada@example.com", "");
    output.stderr(contains("--account").and(contains("[profiles.codex]")));
}

#[test]
fn systemd_accepts_the_units_of_odd_folders() {
    for folder in ["bin", "plain 100% $HOME", ODD] {
        systemd_accepts_the_units(&User::with_program_in(folder));
    }
}

fn systemd_accepts_the_units(user: &User) {
    let machine = &user.machine;
    let home = machine.codex_home().join(format!("home {ODD}"));
    fs::create_dir(&home).unwrap();
    let mut command = user.run("configure keepalive --print");
    let output = command.env("CODEX_HOME", &home).assert().success();
    let shown = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let mut units = Vec::new();
    let (files, _) = shown.split_once("# or, with crontab -e:").unwrap();
    for part in files.split("# /").skip(1) {
        let (path, text) = part.split_once('\n').unwrap();
        let Some((_, name)) = path.rsplit_once('/') else { continue };
        let unit = machine.path(name);
        fs::write(&unit, text).unwrap();
        units.push(unit);
    }
    assert_eq!(units.len(), 2);
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!(
            "skipped: there is no systemd-analyze; apt-get install systemd, then cargo test keepalive"
        );
        return;
    }
    let mut verify = Command::new("systemd-analyze");
    verify.env("XDG_RUNTIME_DIR", machine.codex_home());
    let output = verify.args(["verify", "--user", "--man=no"]).args(&units).output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !says.contains("codex-credential"), "{says}");
}

#[test]
fn control_character_in_a_folder_is_refused_with_one_line_and_no_change() {
    for folder in ["a\nb", "a\tb", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b"] {
        let user = User::new();
        let home = user.machine.codex_home().join(folder);
        fs::create_dir(&home).unwrap();
        let mut configure = user.run("configure keepalive");
        let refused = configure.env("CODEX_HOME", &home).assert().code(2);
        assert_one_clear_line(&refused.get_output().stderr);
        // The program in such a folder.
        let user = User::with_program_in(folder);
        for tool in ["git", "codex", "claude-code", "pi", "docker", "bazel", "keepalive"] {
            let refused = user.run(&format!("configure {tool}")).assert().code(2);
            assert_one_clear_line(&refused.get_output().stderr);
            assert_eq!(fs::read_dir(&user.home).unwrap().count(), 0);
        }
    }
}

fn assert_one_clear_line(stderr: &[u8]) {
    let text = str::from_utf8(stderr).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().contains("control character"), "{text}");
    assert!(lines.next().unwrap().starts_with("hint: "), "{text}");
    assert_eq!(lines.next(), None);
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
}
