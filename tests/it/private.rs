//! Logins in the file and memory storages, and `move` between storages.

use crate::machine::{Machine, Private, ada, eventually, files, token_of};
use issuer::{Account, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn workspace() -> Account {
    Issuer::accounts()[1].clone()
}

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

fn password(machine: &Machine, username: &str) -> String {
    let request = format!("protocol=https\nhost=chatgpt.com\nusername={username}\n\n");
    let output = machine.command("get").write_stdin(request).assert().success();
    let answer = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    answer.lines().find_map(|line| line.strip_prefix("password=")).unwrap_or_default().to_owned()
}

#[test]
fn file_storage_is_private_and_writes_no_file_of_codex() {
    let private = Private::new("file");
    let token = private.sign_in(&ada(), "");
    let files = files(private.state.path());
    let login = files.iter().find(|file| file.ends_with("login")).unwrap();
    assert!(fs::read_to_string(login).unwrap().contains(&token));
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        let folder = fs::metadata(file.parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(folder & 0o777, 0o700, "{}", file.display());
    }
    assert_eq!(fs::read_dir(private.machine.codex_home()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(private.runtime.path()).unwrap().count(), 0);
    let status = private.machine.command("status").assert().success();
    status.stdout(contains("ada@example.com").and(contains(login.to_str().unwrap())));
}

#[test]
fn concurrent_callers_sign_in_once_and_renew_once() {
    for storage in ["file", "memory"] {
        let private = Private::new(storage);
        let machine = &private.machine;
        machine.issuer.set(|s| s.access_token_lifetime = std::time::Duration::from_secs(4));
        let callers: Vec<_> =
            (0..16).map(|_| machine.start("get --format token --wait 60s")).collect();
        machine.approve_next();
        let mut tokens: Vec<String> = callers.into_iter().map(token_of).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1, "{storage}");
        assert_eq!(machine.issuer.counts().user_codes, 1);
        machine.issuer.set(|s| s.access_token_lifetime = std::time::Duration::from_secs(3600));
        let expired = tokens.remove(0);
        eventually(|| !machine.issuer.is_live_access_token(&expired));
        let mut renewed = machine.crowd(16);
        renewed.dedup();
        assert_eq!(renewed.len(), 1, "{storage}");
        assert_ne!(renewed[0], expired);
        let counts = machine.issuer.counts();
        assert_eq!((counts.user_codes, counts.refreshes), (1, 1), "{storage}");
        assert_eq!(machine.issuer.resent_after_answer(), 0);
    }
}

#[test]
fn memory_storage_writes_no_login_to_disk() {
    let private = Private::new("memory");
    private.sign_in(&ada(), "");
    assert!(!files(private.runtime.path()).is_empty());
    assert!(files(private.state.path()).iter().all(|file| file.ends_with("audit.log")));
    assert_eq!(fs::read_dir(private.machine.codex_home()).unwrap().count(), 0);
}

#[test]
fn runtime_directory_on_disk_is_an_error_for_memory_storage() {
    let mut private = Private::new("memory");
    let on_disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    private.machine.set("XDG_RUNTIME_DIR", on_disk.path().to_str().unwrap());
    for command in ["get", "login", "status"] {
        let output = private.machine.command(command).assert().code(2);
        output.stderr(contains("hint: "));
    }
    assert_eq!(private.machine.issuer.counts().user_codes, 0);
    assert!(files(on_disk.path()).is_empty());
}

#[test]
fn logins_of_several_accounts_and_workspaces_are_separate() {
    let private = Private::new("file");
    let machine = &private.machine;
    let personal = private.sign_in(&ada(), "");
    let team = private.sign_in(&workspace(), "");
    let other = private.sign_in(&grace(), "");
    assert_eq!(machine.token(), other, "the latest login is the default");
    assert_eq!(password(machine, &ada().account_id), personal);
    assert_eq!(password(machine, &workspace().account_id), team);
    assert_eq!(password(machine, "grace@example.org"), other);
    assert_eq!(password(machine, "nobody@example.com"), "", "an unknown account gets no answer");
    let command = format!("get --format token --account {}", workspace().account_id);
    machine.command(&command).assert().success().stdout(format!("{team}\n"));
    let ambiguous = machine.command("get --account ada@example.com").assert().code(2);
    ambiguous.stderr(contains(ada().account_id));
    // Each login renews separately.
    machine.issuer.invalidate_access_token(&team);
    let erase = format!(
        "protocol=https\nhost=chatgpt.com\nusername={}\npassword={team}\n\n",
        workspace().account_id
    );
    machine.command("erase").write_stdin(erase).assert().success();
    let renewed = password(machine, &workspace().account_id);
    assert_ne!(renewed, team);
    assert_eq!(password(machine, &ada().account_id), personal);
    assert_eq!(machine.token(), other);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn sign_in_with_account_keeps_the_default() {
    let private = Private::new("file");
    let mine = private.sign_in(&ada(), "");
    let still_mine = private.sign_in(&grace(), "--account grace@example.org");
    assert_eq!(still_mine, mine);
    assert_ne!(password(&private.machine, "grace@example.org"), mine);
    // After the default is removed, the only remaining login is the default.
    private.machine.command("logout").assert().success();
    assert_eq!(private.machine.token(), password(&private.machine, "grace@example.org"));
    private.machine.command("logout").assert().success();
    private.machine.command("status").assert().code(3);
    private.machine.command("get --interactive never").assert().code(3);
    assert_eq!(private.machine.issuer.counts().revocations, 2);
}

#[test]
fn answer_that_could_not_be_committed_is_committed_by_the_next_caller() {
    let private = Private::new("file");
    let machine = &private.machine;
    let old = private.sign_in(&ada(), "");
    machine.refuse(&old);
    let slow = issuer::Fault::DelayAfter(std::time::Duration::from_millis(500));
    machine.issuer.fault(issuer::Endpoint::Refresh, slow, 1);
    let find =
        |name: &str| files(private.state.path()).into_iter().find(|file| file.ends_with(name));
    let login = find("login").unwrap();
    let caller = machine.start("get --format token --wait 30s");
    assert!(machine.issuer.wait_until(|c| c.in_flight == 1, crate::machine::PATIENCE));
    // A file cannot be renamed over a folder, so the answer is only in the journal.
    let stored = fs::read(&login).unwrap();
    fs::remove_file(&login).unwrap();
    fs::create_dir(&login).unwrap();
    assert_eq!(caller.wait_with_output().unwrap().status.code(), Some(1));
    eventually(|| machine.renewers().is_empty());
    assert!(fs::read_to_string(find("journal").unwrap()).unwrap().contains("refresh_token\":"));
    fs::remove_dir(&login).unwrap();
    fs::write(&login, stored).unwrap();
    assert_ne!(machine.token(), old);
    assert_eq!((machine.issuer.counts().refreshes, machine.issuer.resent_after_answer()), (1, 0));
}

#[test]
fn moved_login_keeps_its_tokens_and_renews() {
    let (mut machine, tokens) = Machine::signed_in(3600);
    let folders = tempfile::tempdir().unwrap();
    machine.set("HOME", folders.path().to_str().unwrap());
    machine.set("XDG_STATE_HOME", folders.path().to_str().unwrap());
    let moved = machine.command("move --to file").assert().success();
    moved.stderr(contains("ada@example.com").and(contains("Codex")));
    assert!(!machine.path("auth.json").exists());
    machine.command("get --interactive never").assert().code(3);
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    assert_eq!(machine.token(), tokens.access_token);
    // The login renews in its new storage, at the issuer that granted it.
    machine.refuse(&tokens.access_token);
    assert_ne!(machine.token(), tokens.access_token);
    machine.command("move --to file").assert().success();
    let renewed = machine.token();
    machine.command("move --to codex").assert().success();
    assert_eq!(machine.auth_json()["tokens"]["access_token"], renewed);
    assert!(files(folders.path()).iter().all(|file| !file.ends_with("login")));
}

#[test]
fn move_does_not_overwrite_another_login() {
    let (mut machine, _) = Machine::signed_in(3600);
    let folders = tempfile::tempdir().unwrap();
    machine.set("HOME", folders.path().to_str().unwrap());
    machine.set("XDG_STATE_HOME", folders.path().to_str().unwrap());
    machine.command("move --to file").assert().success();
    let other = machine.sign_in(3600);
    machine.command("move --to file").assert().code(2);
    assert_eq!(machine.auth_json()["tokens"]["access_token"], other.access_token);
}

#[test]
fn sign_in_with_the_wrong_account_is_revoked_and_not_stored() {
    let private = Private::new("file");
    let machine = &private.machine;
    let login = machine.start("login --account grace@example.org");
    let code = machine.issuer.wait_for_user_code(crate::machine::PATIENCE).unwrap();
    machine.issuer.approve_as(&code, &ada());
    let output = login.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.contains("ada@example.com") && says.contains("grace@example.org"), "{says}");
    assert_eq!(machine.issuer.counts().revocations, 1);
    assert!(files(private.state.path()).iter().all(|file| !file.ends_with("login")));
}

#[test]
fn login_of_codex_is_neither_used_nor_removed_for_another_account() {
    let (machine, tokens) = Machine::signed_in(864_000);
    for command in ["get --account grace@example.org", "exec --account grace@example.org -- true"] {
        machine.command(command).assert().code(4).stdout(predicates::str::is_empty());
    }
    machine.command("logout --account grace@example.org").assert().success();
    assert_eq!(machine.token(), tokens.access_token);
}
