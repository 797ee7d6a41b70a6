//! `doctor` checks configuration, storage, login and files.

use crate::machine::{Machine, Private, ada, files, lock};
use issuer::{Endpoint, Fault};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Returns a machine with a login that is valid for `lifetime` seconds, without Codex.
pub fn machine(lifetime: i64) -> Machine {
    let (mut machine, _) = Machine::signed_in(lifetime);
    let home = machine.codex_home().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    machine.set("PATH", "/nonexistent");
    fs::set_permissions(machine.path("auth.json"), Permissions::from_mode(0o600)).unwrap();
    machine
}

/// Runs `doctor --json`. Returns its checks, and whether none of them failed.
pub fn run_doctor(machine: &Machine) -> (Vec<Value>, bool) {
    let output = machine.command("doctor --json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_ok = report["ok"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!is_ok)), "{report}");
    (report["checks"].as_array().unwrap().clone(), is_ok)
}

/// Returns the only check with this name and level.
pub fn only(checks: &[Value], name: &str, level: &str) -> Value {
    let matches = |check: &&Value| check["name"] == name && check["level"] == level;
    let found: Vec<&Value> = checks.iter().filter(matches).collect();
    assert_eq!(found.len(), 1, "{name} {level} in {checks:?}");
    found[0].clone()
}

pub fn says(check: &Value, text: &str) {
    let whole = check.to_string();
    assert!(whole.contains(text), "{text:?} in {whole}");
}

#[test]
fn missing_codex_home_is_reported_and_not_created() {
    let mut machine = machine(864_000);
    let typo = machine.path("typo");
    machine.set("CODEX_HOME", typo.to_str().unwrap());
    let (checks, _) = run_doctor(&machine);
    says(&only(&checks, "storage", "warning"), "there is no folder");
    assert!(!typo.exists());
    machine.set("CODEX_HOME", "/proc/nowhere/home");
    says(&only(&run_doctor(&machine).0, "storage", "warning"), "/proc/nowhere");
}

#[test]
fn working_login_passes_every_check() {
    let machine = machine(864_000);
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok);
    assert!(checks.iter().all(|check| check["level"] == "ok"), "{checks:?}");
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in [
        "program",
        "variables",
        "config",
        "profile",
        "codex store",
        "login",
        "storage",
        "audit",
        "permissions",
        "locks",
        "https",
        "clock",
        "renewals",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let text = machine.command("doctor").assert().success();
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), checks.len());
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");
    assert_eq!(machine.issuer.counts().refreshes + machine.issuer.counts().user_codes, 0);
    let files = files(machine.codex_home());
    assert!(files.iter().all(|file| !file.to_str().unwrap().contains("scratch")), "{files:?}");
}

#[test]
fn email_address_keeps_only_its_first_letter() {
    for (text, expected) in [
        ("ada@example.com", "a…@example.com"),
        ("ada.b+c@example.com and grace@example.org", "a…@example.com and g…@example.org"),
        ("<ö@a>", "<ö…@a>"),
        ("a @ b", "a @ b"),
        ("nothing", "nothing"),
    ] {
        assert_eq!(codex_credential::commands::doctor::report::redacted(text), expected);
    }
}

#[test]
fn output_contains_no_secrets() {
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
fn invalid_configuration_is_reported_and_network_checks_are_skipped() {
    let mut machine = machine(864_000);
    let config = machine.path("config.toml");
    fs::write(&config, "\nprofile = 1\n").unwrap();
    machine.set("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap());
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    says(&only(&checks, "config", "failure"), "line 2: ");
    assert!(checks.iter().all(|check| check["name"] != "https"));
    let text = machine.command("doctor").assert().code(1);
    text.stdout(contains("FAILURE").and(contains("\"profiles\"?")));
}

#[test]
fn missing_login_is_a_warning_and_unreadable_login_a_failure() {
    let machine = machine(864_000);
    fs::remove_file(machine.path("auth.json")).unwrap();
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok);
    says(&only(&checks, "login", "warning"), "codex-credential login");
    fs::write(machine.path("auth.json"), "{ torn").unwrap();
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    says(&only(&checks, "login", "failure"), "auth.json");
}

#[test]
fn files_accessible_to_others_are_reported_with_a_fix() {
    let machine = machine(864_000);
    fs::set_permissions(machine.path("auth.json"), Permissions::from_mode(0o644)).unwrap();
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok);
    let check = only(&checks, "permissions", "warning");
    says(&check, "auth.json");
    // The suggested command fixes the permissions.
    let next = check["next"].as_str().unwrap().strip_prefix("run: ").unwrap();
    assert!(Command::new("sh").args(["-c", next]).status().unwrap().success());
    only(&run_doctor(&machine).0, "permissions", "ok");
    fs::set_permissions(machine.codex_home(), Permissions::from_mode(0o777)).unwrap();
    says(&only(&run_doctor(&machine).0, "permissions", "warning"), "can be changed by others");
}

#[test]
fn lock_file_that_cannot_be_opened_is_a_failure() {
    let machine = machine(864_000);
    fs::create_dir(machine.path("auth.lock")).unwrap();
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    says(&only(&checks, "storage", "failure"), "auth.lock");
}

/// strace makes every flock succeed without a lock, as some file servers do.
#[cfg(target_os = "linux")]
#[test]
fn locks_without_effect_are_a_failure() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!(
            "skipped: strace is not installed; apt-get install strace, then cargo test doctor"
        );
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
fn unknown_store_of_codex_is_a_failure() {
    let machine = machine(864_000);
    fs::write(machine.path("config.toml"), "cli_auth_credentials_store = 'ephemeral'\n").unwrap();
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    says(&only(&checks, "codex store", "failure"), "ephemeral");
}

#[test]
fn variables_that_override_the_login_in_codex_are_warnings() {
    let mut machine = machine(864_000);
    machine.set("CODEX_API_KEY", "sk-made-up");
    machine.set("OPENAI_FEDERATION_RULE_ID", "");
    let (checks, is_ok) = run_doctor(&machine);
    assert!(is_ok && !checks.iter().any(|check| check.to_string().contains("sk-made-up")));
    says(&only(&checks, "codex login", "warning"), "unset CODEX_API_KEY");
    // Codex does not use a login in a storage of ours.
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    assert!(!run_doctor(&machine).0.iter().any(|check| check["name"] == "codex login"));
}

#[test]
fn provider_of_an_earlier_workspace_is_a_warning() {
    let machine = machine(864_000);
    let configure = || machine.command("configure codex").env("HOME", "/nonexistent").assert();
    configure().success();
    let is_warned = || run_doctor(&machine).0.iter().any(|check| check["name"] == "codex config");
    assert!(!is_warned());
    let config = fs::read_to_string(machine.path("config.toml")).unwrap();
    let account_id = &issuer::Issuer::accounts()[0].account_id;
    assert!(config.contains(account_id));
    fs::write(machine.path("config.toml"), config.replace(account_id, "another")).unwrap();
    let warning = only(&run_doctor(&machine).0, "codex config", "warning");
    says(&warning, "codex-credential configure codex");
    configure().success();
    assert!(!is_warned());
}

#[test]
fn failed_renewal_lost_login_and_pending_sign_in_are_reported() {
    let machine = machine(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), 1);
    machine.command("get --wait 20s").assert().code(1);
    let check = only(&run_doctor(&machine).0, "back-off", "warning");
    says(&check, "503");
    fs::remove_file(machine.own("failure")).unwrap();
    let token = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    machine.issuer.invalidate_refresh_token(&token);
    machine.command("get --interactive never --wait 20s").assert().code(3);
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    says(&only(&checks, "renewals", "failure"), "the login is lost");
    machine.command("get --wait 20s").assert().code(3);
    let code = machine.issuer.user_codes().remove(0);
    let output = machine.command("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("a sign-in waits for approval"), "{text}");
    assert!(text.contains("runs a sign-in") && !text.contains(&code), "{text}");
}

#[test]
fn rejected_token_and_missing_refresh_token_are_warnings() {
    let machine = machine(864_000);
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    machine.refuse(&token);
    only(&run_doctor(&machine).0, "rejected", "warning");
    let mut document = machine.auth_json();
    document["tokens"]["refresh_token"] = json!("");
    machine.write_auth_json(&document);
    says(&only(&run_doctor(&machine).0, "renewals", "warning"), "no refresh token");
}

#[test]
fn held_lock_is_reported_with_its_holder() {
    let machine = machine(864_000);
    let _codex = lock(&machine.path("auth.lock"));
    let (checks, is_ok) = run_doctor(&machine);
    assert!(!is_ok);
    says(&only(&checks, "storage", "failure"), &format!("process {} ", std::process::id()));
}

#[test]
fn login_in_file_storage_passes_every_check() {
    let mut private = Private::new("file");
    private.machine.set("PATH", "/nonexistent");
    private.sign_in(&ada(), "");
    let (checks, is_ok) = run_doctor(&private.machine);
    assert!(is_ok, "{checks:?}");
    says(&only(&checks, "profile", "ok"), "storage file");
    assert!(
        checks.iter().all(|check| check["level"] == "ok" && check["name"] != "codex store"),
        "{checks:?}"
    );
}
