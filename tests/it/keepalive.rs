//! `configure keepalive`: renewal on a machine where no program asks for a token for days.

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
fn crontab_line_renews_when_due_and_never_starts_a_sign_in() {
    let machine = Machine::new();
    let tokens = machine.aged_sign_in(400, 3600);
    let mut command = machine.command("configure keepalive");
    let output = command.env("HOME", machine.codex_home()).assert().success();
    let line = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let shell_command = line.splitn(6, ' ').nth(5).unwrap();
    let run = || {
        let mut shell = Command::new("sh");
        shell.env_clear().env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url());
        shell.args(["-c", shell_command]).output().unwrap()
    };
    assert!(run().status.success());
    assert_ne!(machine.auth_json()["tokens"]["access_token"], tokens.access_token);
    assert!(run().status.success());
    assert_eq!(machine.issuer.counts().refreshes, 1);
    fs::remove_file(machine.path("auth.json")).unwrap();
    let output = run();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn systemd_accepts_the_units() {
    let machine = Machine::new();
    let home = machine.path("odd \"name\" 100% $HOME");
    fs::create_dir(&home).unwrap();
    let mut command = machine.command("configure keepalive --print");
    command.env("HOME", machine.codex_home()).env("CODEX_HOME", &home);
    let output = command.assert().success();
    let shown = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(shown.contains(r" 100\% $HOME' "), "a crontab needs a backslash before %: {shown}");
    let mut units = Vec::new();
    for part in shown.split("# ").skip(1) {
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
    let output = verify.args(["verify", "--user", "--man=no"]).args(&units).output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(!says.contains("codex-credential"), "{says}");
}
