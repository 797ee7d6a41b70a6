//! A login in the keyring, with a copy of its access token in memory.

use crate::keyring::Keyring;
use crate::machine::{Private, ada, eventually, files, is_answered, lock, token_of};
use issuer::{Endpoint, Fault};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

pub fn private() -> (Private, Keyring) {
    let mut private = Private::new("keyring");
    let keyring = Keyring::unlocked(&mut private.machine);
    (private, keyring)
}

pub fn refresh_token(keyring: &Keyring) -> String {
    let login: Value = serde_json::from_str(&keyring.secret("/login").unwrap()).unwrap();
    login["refresh_token"].as_str().unwrap().to_owned()
}

/// Returns what `line` and its renewal process wrote to files.
fn written(private: &Private, line: &str, during: impl FnOnce()) -> String {
    let log = private.machine.path("strace.log");
    let program = assert_cmd::cargo::cargo_bin!("codex-credential");
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "-y",
        "-s",
        "100000",
        "-e",
        "trace=write,writev,pwrite64,sendmsg,sendto",
        "-o",
    ]);
    traced.arg(&log).arg(program).args(line.split_whitespace());
    let clean = private.machine.std_command("status");
    traced.env_clear();
    for (name, value) in clean.get_envs() {
        traced.env(name, value.unwrap());
    }
    let mut traced =
        traced.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    during();
    assert!(traced.wait().unwrap().success());
    eventually(|| private.machine.renewers().is_empty());
    let log = fs::read_to_string(log).unwrap();
    let to_files = log.lines().filter(|line| !line.contains("<socket:") && !line.contains("<UNIX"));
    to_files.collect::<Vec<_>>().join("\n")
}

fn is_on_disk(private: &Private, keyring: &Keyring, secret: &str) -> bool {
    let folders = [
        private.state.path(),
        private.runtime.path(),
        private.machine.codex_home(),
        keyring.home(),
    ];
    let everything =
        folders.into_iter().flat_map(files).filter(|file| !file.ends_with("strace.log"));
    everything
        .filter_map(|file| fs::read(file).ok())
        .any(|content| content.windows(secret.len()).any(|window| window == secret.as_bytes()))
}

pub fn refresh_token_is_in_no_file() {
    let (private, keyring) = private();
    let machine = &private.machine;
    let during_login = written(&private, "login", || drop(machine.approve_next()));
    let first = refresh_token(&keyring);
    let token = machine.token();
    machine.refuse(&token);
    let during_renewal = written(&private, "get --wait 20s", || ());
    let second = refresh_token(&keyring);
    assert_ne!(first, second);
    for token in [&first, &second] {
        assert!(!during_login.contains(token.as_str()) && !during_renewal.contains(token.as_str()));
        assert!(!is_on_disk(&private, &keyring, token));
    }
    // The search does find the access token, which is in memory.
    assert!(during_renewal.contains("journal") && is_on_disk(&private, &keyring, &machine.token()));
    let names: Vec<_> = files(private.state.path());
    assert!(names.iter().all(|path| path.ends_with("audit.log")), "{names:?}");
    machine.command("logout").assert().success();
    assert!(!is_on_disk(&private, &keyring, &token));
    assert_eq!(keyring.secret("/login"), None);
}

pub fn warm_get_does_not_use_the_keyring() {
    let (private, keyring) = private();
    let token = private.sign_in(&ada(), "");
    keyring.hang();
    assert_eq!(private.machine.token(), token);
    let request = "protocol=https\nhost=chatgpt.com\nusername=ada@example.com\n\n";
    let output = private.machine.command("get").write_stdin(request).assert().success();
    assert!(String::from_utf8(output.get_output().stdout.clone()).unwrap().contains(&token));
}

pub fn get_without_runtime_folder_reads_the_keyring_each_time() {
    let (mut private, keyring) = private();
    private.machine.set("XDG_RUNTIME_DIR", "/nonexistent");
    let token = private.sign_in(&ada(), "");
    assert_eq!(private.machine.token(), token);
    assert!(!is_on_disk(&private, &keyring, &token), "no file has the access token");
    keyring.hang();
    private.machine.command("get --wait 1s").assert().code(1);
}

pub fn missing_copy_in_memory_is_restored_from_the_keyring() {
    let (private, keyring) = private();
    let token = private.sign_in(&ada(), "");
    for file in files(private.runtime.path()) {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(private.machine.token(), token);
    keyring.hang();
    assert_eq!(private.machine.token(), token);
}

pub fn many_callers_cost_one_sign_in_and_one_refresh() {
    let (private, _keyring) = private();
    let machine = &private.machine;
    let callers: Vec<_> = (0..8).map(|_| machine.start("get --format token --wait 60s")).collect();
    machine.approve_next();
    let mut tokens: Vec<String> = callers.into_iter().map(token_of).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    machine.refuse(&tokens[0]);
    let mut renewed = machine.crowd(16);
    renewed.dedup();
    assert_eq!(renewed.len(), 1);
    assert_ne!(renewed, tokens);
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.refreshes), (1, 1));
}

pub fn renew_replaces_a_valid_token_that_is_due() {
    let (private, keyring) = private();
    let machine = &private.machine;
    machine.issuer.set(|s| {
        s.access_token_age = Duration::from_secs(9 * 24 * 3600);
        s.access_token_lifetime = Duration::from_secs(10 * 3600);
    });
    let login = machine.start("login");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    machine.issuer.set(|s| s.access_token_age = Duration::ZERO);
    let before = refresh_token(&keyring);
    machine.command("renew --wait 60s").assert().success();
    assert_ne!(refresh_token(&keyring), before);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

pub fn callers_with_different_homes_share_the_renewal_lock() {
    let (mut private, _keyring) = private();
    private.sign_in(&ada(), "");
    let slow = Fault::DelayAfter(Duration::from_millis(500));
    private.machine.issuer.fault(Endpoint::Refresh, slow, 1);
    let token = private.machine.token();
    private.machine.refuse(&token);
    let first = private.machine.start("get --format token --wait 30s");
    let other_home = tempfile::tempdir().unwrap();
    for variable in ["HOME", "XDG_STATE_HOME"] {
        private.machine.set(variable, other_home.path().to_str().unwrap());
    }
    let second = private.machine.start("get --format token --wait 30s");
    assert_eq!(token_of(first), token_of(second));
    assert_eq!(private.machine.issuer.counts().refreshes, 1);
}

pub fn move_to_the_keyring_and_back_keeps_the_login() {
    let (mut private, keyring) = private();
    private.machine.set("CODEX_CREDENTIAL_STORAGE", "codex");
    let tokens = private.machine.sign_in(3600);
    private.machine.command("move --to keyring").assert().success();
    assert!(!private.machine.path("auth.json").exists());
    assert_eq!(refresh_token(&keyring), tokens.refresh_token);
    private.machine.set("CODEX_CREDENTIAL_STORAGE", "keyring");
    assert_eq!(private.machine.token(), tokens.access_token);
    private.machine.command("move --to codex").assert().success();
    assert_eq!(private.machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
    assert_eq!(keyring.secret("/login"), None);
}

/// A probe uses an item of its own, and not the key that seals an answer.
pub fn sealed_answer_survives_probes_and_is_stored() {
    let (private, keyring) = private();
    let machine = &private.machine;
    let token = private.sign_in(&ada(), "");
    let all = || files(private.state.path()).into_iter().chain(files(private.runtime.path()));
    let write_lock = lock(&all().find(|file| file.ends_with("write")).unwrap());
    machine.refuse(&token);
    let mut caller = machine.start("get --wait 60s");
    let journal = || all().find(|file| file.ends_with("journal") && is_answered(file));
    eventually(|| journal().is_some());
    machine.kill_renewer();
    caller.kill().unwrap();
    caller.wait().unwrap();
    let sealed = fs::read(journal().unwrap()).unwrap();
    for probe in ["doctor", "profile test codex", "status"] {
        machine.command(probe).output().unwrap();
    }
    assert!(fs::read(journal().unwrap()).unwrap() == sealed);
    drop(write_lock);
    let renewed = machine.token();
    assert!(renewed != token && machine.issuer.is_live_access_token(&renewed));
    assert!(machine.issuer.is_live_refresh_token(&refresh_token(&keyring)));
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
