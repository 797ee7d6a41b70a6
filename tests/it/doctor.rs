//! `doctor`: everything a login depends on, looked at and tried.

use crate::machine::{Machine, Private, ada, files, lock};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// A person with a home; Codex is not installed.
pub fn machine(lifetime: i64) -> Machine {
    let (mut machine, _) = Machine::signed_in(lifetime);
    let home = machine.codex_home().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    machine.set("PATH", "/nonexistent");
    fs::set_permissions(machine.path("auth.json"), Permissions::from_mode(0o600)).unwrap();
    machine
}

/// The checks by (name, level), each with all of it; and whether all is well.
pub fn examined(machine: &Machine) -> (Vec<Value>, bool) {
    let output = machine.command("doctor --json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_well = report["ok"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!is_well)), "{report}");
    (report["checks"].as_array().unwrap().clone(), is_well)
}

/// The one check of that name and level.
pub fn only(checks: &[Value], name: &str, level: &str) -> Value {
    let is_it = |check: &&Value| check["name"] == name && check["level"] == level;
    let found: Vec<&Value> = checks.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{name} {level} in {checks:?}");
    found[0].clone()
}

pub fn says(check: &Value, text: &str) {
    let whole = check.to_string();
    assert!(whole.contains(text), "{text:?} in {whole}");
}

#[test]
fn a_folder_that_is_mistyped_is_named_and_not_made() {
    let mut machine = machine(864_000);
    let typo = machine.path("typo");
    machine.set("CODEX_HOME", typo.to_str().unwrap());
    let (checks, _) = examined(&machine);
    says(&only(&checks, "storage", "warning"), "there is no folder");
    assert!(!typo.exists());
    machine.set("CODEX_HOME", "/proc/nowhere/home");
    let (checks, is_well) = examined(&machine);
    says(&only(&checks, "storage", "failure"), "/proc/nowhere");
    assert!(!is_well);
}

#[test]
fn where_all_is_well_each_line_says_so() {
    let machine = machine(864_000);
    let (checks, is_well) = examined(&machine);
    assert!(is_well);
    assert!(checks.iter().all(|check| check["level"] == "ok"), "{checks:?}");
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in [
        "program",
        "variables",
        "config",
        "profile",
        "codex",
        "codex store",
        "login",
        "storage",
        "audit",
        "permissions",
        "locks",
        "dns",
        "tcp",
        "https",
        "clock",
        "renewals",
        "keepalive",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let text = machine.command("doctor").assert().success();
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), checks.len());
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
    assert_eq!(machine.issuer.counts().refreshes + machine.issuer.counts().user_codes, 0);
    let left = files(machine.codex_home());
    assert!(left.iter().all(|file| !file.to_str().unwrap().contains("scratch")), "{left:?}");
}

#[test]
fn it_can_be_pasted_into_an_issue() {
    let attack = attack!(
        Secrets,
        "tokens, and e-mail addresses without `--show`, in the output of `doctor`"
    );
    let machine = machine(864_000);
    let tokens = machine.auth_json()["tokens"].clone();
    for line in ["doctor", "doctor --json", "doctor --show", "doctor -v"] {
        attack.again();
        let output = machine.command(line).output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        for name in ["access_token", "refresh_token", "id_token"] {
            assert!(!all.contains(tokens[name].as_str().unwrap()), "{name} in {line}");
        }
        assert_eq!(all.contains("ada@example.com"), line.contains("--show"), "{all}");
        assert!(line.contains("--show") || all.contains("a…@example.com"), "{all}");
    }
}

#[test]
fn a_mistake_in_the_configuration_is_named_and_the_rest_left_out() {
    let mut machine = machine(864_000);
    let config = machine.path("config.toml");
    fs::write(&config, "\nprofile = 1\n").unwrap();
    machine.set("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap());
    let (checks, is_well) = examined(&machine);
    assert!(!is_well);
    says(&only(&checks, "config", "failure"), "line 2: ");
    assert!(checks.iter().all(|check| check["name"] != "dns"));
    let text = machine.command("doctor").assert().code(1);
    text.stdout(contains("FAILURE").and(contains("\"profiles\"?")));
}

#[test]
fn nobody_signed_in_is_a_warning_and_a_login_that_cannot_be_read_a_failure() {
    let machine = machine(864_000);
    fs::remove_file(machine.path("auth.json")).unwrap();
    let (checks, is_well) = examined(&machine);
    assert!(is_well);
    says(&only(&checks, "login", "warning"), "codex-credential login");
    fs::write(machine.path("auth.json"), "{ torn").unwrap();
    let (checks, is_well) = examined(&machine);
    assert!(!is_well);
    says(&only(&checks, "login", "failure"), "auth.json");
}

#[test]
fn files_that_others_may_read_or_change_are_named_with_what_mends_them() {
    let machine = machine(864_000);
    fs::set_permissions(machine.path("auth.json"), Permissions::from_mode(0o644)).unwrap();
    let (checks, is_well) = examined(&machine);
    assert!(is_well);
    let check = only(&checks, "permissions", "warning");
    says(&check, "auth.json");
    // What it says to run is what helps.
    let next = check["next"].as_str().unwrap().strip_prefix("run: ").unwrap();
    assert!(Command::new("sh").args(["-c", next]).status().unwrap().success());
    only(&examined(&machine).0, "permissions", "ok");
    fs::set_permissions(machine.codex_home(), Permissions::from_mode(0o777)).unwrap();
    says(&only(&examined(&machine).0, "permissions", "warning"), "can be changed by others");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure() {
    let machine = machine(864_000);
    fs::create_dir(machine.path("auth.lock")).unwrap();
    let (checks, is_well) = examined(&machine);
    assert!(!is_well);
    says(&only(&checks, "storage", "failure"), "auth.lock");
}

/// strace answers in the kernel's place, as some file servers do: every lock is granted, and none excludes.
#[cfg(target_os = "linux")]
#[test]
fn locks_that_exclude_nobody_are_found_out_by_two_processes() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace; apt-get install strace, then cargo test doctor");
        return;
    }
    let machine = machine(864_000);
    let ours = machine.std_command("doctor --json");
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "-e",
        "trace=flock",
        "-e",
        "inject=flock:retval=0",
        "-o",
        "/dev/null",
    ]);
    traced.arg(ours.get_program()).args(ours.get_args());
    for (name, value) in ours.get_envs().filter(|(name, _)| *name != "PATH") {
        traced.env(name, value.unwrap());
    }
    let output = traced.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["level"] == "failure").collect();
    assert!(failed.iter().all(|check| check["name"] == "locks"), "{failed:?}");
    assert!(!failed.is_empty());
}

#[test]
fn codexs_version_and_store_are_told() {
    let mut machine = machine(864_000);
    let folder = machine.path("bin");
    fs::create_dir(&folder).unwrap();
    let codex = folder.join("codex");
    fs::write(&codex, "#!/bin/sh\necho codex-cli 0.169.0\n").unwrap();
    fs::set_permissions(&codex, Permissions::from_mode(0o755)).unwrap();
    machine.set("PATH", folder.to_str().unwrap());
    says(&only(&examined(&machine).0, "codex", "ok"), "codex-cli 0.169.0");
    fs::write(&codex, "#!/bin/sh\nexit 1\n").unwrap();
    says(&only(&examined(&machine).0, "codex", "warning"), "prints nothing");
    fs::write(machine.path("config.toml"), "cli_auth_credentials_store = 'ephemeral'\n").unwrap();
    let (checks, is_well) = examined(&machine);
    assert!(!is_well);
    says(&only(&checks, "codex store", "failure"), "ephemeral");
}

#[test]
fn a_dead_login_a_failed_renewal_and_a_pending_sign_in_are_told() {
    let machine = machine(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), 1);
    machine.command("get --wait 20s").assert().code(1);
    let check = only(&examined(&machine).0, "back-off", "warning");
    says(&check, "503");
    fs::remove_file(machine.own("failure")).unwrap();
    let token = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    machine.issuer.invalidate_refresh_token(&token);
    machine.command("get --interactive never --wait 20s").assert().code(3);
    let (checks, is_well) = examined(&machine);
    assert!(!is_well);
    says(&only(&checks, "renewals", "failure"), "the login is lost");
    machine.command("get --wait 20s").assert().code(3);
    let code = machine.issuer.user_codes().remove(0);
    let output = machine.command("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a sign-in waits for approval"), "{text}");
    assert!(text.contains("runs a sign-in") && !text.contains(&code), "{text}");
}

#[test]
fn a_refused_token_and_a_login_that_cannot_be_renewed_are_told() {
    let machine = machine(864_000);
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    machine.refuse(&token);
    only(&examined(&machine).0, "rejected", "warning");
    let mut document = machine.auth_json();
    document["tokens"]["refresh_token"] = json!("");
    machine.write_auth_json(&document);
    says(&only(&examined(&machine).0, "renewals", "warning"), "no refresh token");
}

#[test]
fn a_lock_that_codex_holds_is_told_with_its_holder() {
    let machine = machine(864_000);
    let _codex = lock(&machine.path("auth.lock"));
    let (checks, is_well) = examined(&machine);
    assert!(!is_well);
    says(&only(&checks, "storage", "failure"), &format!("process {} ", std::process::id()));
}

#[test]
fn a_timer_is_told_and_one_of_another_program_is_a_warning() {
    let machine = machine(864_000);
    let shown = machine.command("configure keepalive --print").assert().success();
    let shown = String::from_utf8(shown.get_output().stdout.clone()).unwrap();
    for part in shown.split("# /").skip(1) {
        let (path, text) = part.split_once('\n').unwrap();
        let path = Path::new("/").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // The preview has an empty line after each.
        fs::write(&path, text.strip_suffix("# or, with crontab -e:\n").unwrap_or(text)).unwrap();
    }
    for file in files(&machine.path(".config")) {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{}\n", text.split("# or,").next().unwrap().trim_end())).unwrap();
    }
    says(&only(&examined(&machine).0, "keepalive", "ok"), "codex-credential-keepalive.service");
    let service = machine.path(".config/systemd/user/codex-credential-keepalive.service");
    fs::write(service, "[Service]\nExecStart=/gone renew\n").unwrap();
    only(&examined(&machine).0, "keepalive", "warning");
}

/// As `systemctl --user enable` leaves it, whose unit is the package's.
#[test]
fn the_timer_of_a_package_is_told_where_it_is_enabled() {
    let machine = machine(864_000);
    says(&only(&examined(&machine).0, "keepalive", "ok"), "no timer");
    let unit = machine.path("package.timer");
    fs::write(&unit, "[Timer]\n").unwrap();
    let enabled = machine.path(".config/systemd/user/timers.target.wants");
    fs::create_dir_all(&enabled).unwrap();
    symlink(&unit, enabled.join("codex-credential-keepalive.timer")).unwrap();
    says(&only(&examined(&machine).0, "keepalive", "ok"), "a timer in");
    fs::remove_file(&unit).unwrap();
    says(&only(&examined(&machine).0, "keepalive", "ok"), "no timer");
}

#[test]
fn a_storage_of_our_own_is_looked_at_in_the_same_way() {
    let mut private = Private::new("file");
    private.machine.set("PATH", "/nonexistent");
    private.sign_in(&ada(), "");
    let (checks, is_well) = examined(&private.machine);
    assert!(is_well, "{checks:?}");
    says(&only(&checks, "profile", "ok"), "storage file");
    assert!(
        checks.iter().all(|check| check["level"] == "ok" && check["name"] != "codex"),
        "{checks:?}"
    );
}
