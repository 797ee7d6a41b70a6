//! `auth.json` in unusual states: malformed, a link, readable by others, not a regular file.

use crate::machine::{Machine, OURS, PATIENCE, eventually, lock, token_of};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn malformed_login_is_reported_and_left_unchanged() {
    for content in [r#"{"tokens":{"access_token":"ey"#, "", "[]", r#"{"tokens":7}"#, "\u{0}"] {
        let machine = Machine::new();
        fs::write(machine.path("auth.json"), content).unwrap();
        let output = machine.command("get").assert().code(3);
        let names_file = contains(machine.path("auth.json").to_str().unwrap());
        output.stdout("").stderr(names_file.and(contains("codex-credential login")));
        machine.command("erase").write_stdin(OURS).assert().code(3);
        assert_eq!(fs::read_to_string(machine.path("auth.json")).unwrap(), content);
        assert_eq!(machine.issuer.counts(), issuer::Counts::default());
    }
}

#[test]
fn damage_is_named_and_a_sign_in_cures_it_and_keeps_a_copy() {
    let (machine, _) = Machine::signed_in(3600);
    let json = fs::read(machine.path("auth.json")).unwrap();
    let utf16 = |unit: fn(u16) -> [u8; 2]| {
        let text = String::from_utf8(json.clone()).unwrap();
        text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
    };
    for (content, says) in [
        ([b"\xef\xbb\xbf", &json[..]].concat(), "byte order mark"),
        ([b"\xff\xfe", &utf16(u16::to_le_bytes)[..]].concat(), "UTF-16"),
        ([b"\xfe\xff", &utf16(u16::to_be_bytes)[..]].concat(), "UTF-16"),
        (utf16(u16::to_le_bytes), "UTF-16"),
        (Vec::new(), "is empty"),
        (json[..json.len() / 2].to_vec(), "ends too early"),
    ] {
        let machine = Machine::new();
        fs::write(machine.path("auth.json"), &content).unwrap();
        machine.command("get --format token").assert().code(3).stdout("").stderr(contains(says));
        machine.command("status").assert().code(3).stderr(contains(says));
        machine.command("logout").assert().code(3).stderr(contains("nothing was removed"));
        let login = machine.start("login --wait 60s");
        machine.approve_next();
        assert!(login.wait_with_output().unwrap().status.success(), "{says}");
        machine.token();
        let entries = fs::read_dir(machine.codex_home()).unwrap().flatten();
        let copies = entries.map(|entry| entry.path());
        let copy = copies
            .filter(|path| path.to_string_lossy().contains("auth.json.corrupt-"))
            .find(|path| fs::read(path).unwrap() == content);
        assert!(copy.is_some(), "{says}");
    }
}

#[test]
fn folder_at_the_place_of_the_login_is_named_as_a_missing_mount_source() {
    let machine = Machine::new();
    fs::create_dir(machine.path("auth.json")).unwrap();
    for command in ["get", "status", "login --wait 5s"] {
        let output = machine.command(command).assert().code(2);
        output.stderr(contains("is a folder").and(contains("mount CODEX_HOME")));
    }
    assert_eq!(machine.issuer.counts().user_codes, 0);
}

#[test]
fn dangling_link_is_named_and_its_missing_folder_is_not_created() {
    let machine = Machine::new();
    let target = machine.path("not mounted/login.json");
    symlink(&target, machine.path("auth.json")).unwrap();
    let status = machine.command("status").assert().code(3);
    status.stdout(contains(format!("a link to {}, which does not exist", target.display())));
    for command in ["login --wait 20s", "get --wait 20s"] {
        machine.command(command).assert().code(2).stderr(contains("whose folder does not exist"));
    }
    assert_eq!(machine.issuer.counts().user_codes, 0, "the user is not asked in vain");
    assert!(!target.parent().unwrap().exists());
}

#[test]
fn sign_in_keeps_a_copy_of_a_malformed_login() {
    let machine = Machine::new();
    fs::write(machine.path("auth.json"), "{ torn").unwrap();
    fs::set_permissions(machine.path("auth.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let login = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    machine.token();
    let names = fs::read_dir(machine.codex_home()).unwrap().flatten();
    let aside = names
        .map(|entry| entry.path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("auth.json.corrupt-"));
    let aside = aside.expect("the old file");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "{ torn");
    assert_eq!(aside.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn api_key_is_replaced_only_by_an_explicit_login() {
    let machine = Machine::new();
    machine.write_auth_json(&json!({"OPENAI_API_KEY": "sk-made-up"}));
    let output = machine.command("get").assert().code(3);
    output.stderr(contains("api.openai.com").and(contains("codex-credential login")));
    assert_eq!(machine.issuer.counts().user_codes, 0);
    let login = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(machine.auth_json()["OPENAI_API_KEY"], "sk-made-up");
    assert_eq!(machine.auth_json()["auth_mode"], "chatgpt");
}

#[test]
fn renewal_writes_through_a_symbolic_link() {
    let (machine, _) = Machine::signed_in(-1);
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("login.json");
    fs::rename(machine.path("auth.json"), &target).unwrap();
    symlink(&target, machine.path("auth.json")).unwrap();
    let token = machine.token();
    assert!(fs::symlink_metadata(machine.path("auth.json")).unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains(&token));
}

#[test]
fn sign_in_creates_the_target_of_a_dangling_link() {
    let machine = Machine::new();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path().join("login.json"), machine.path("auth.json")).unwrap();
    let caller = machine.start("get --format token --wait 60s");
    machine.approve_next();
    token_of(caller);
    assert!(elsewhere.path().join("login.json").exists());
}

#[test]
fn missing_codex_home_is_created_private() {
    let machine = Machine::new();
    let home = machine.path("deep/home");
    let mut command = machine.std_command("get --format token --wait 60s");
    command.env("CODEX_HOME", &home).stdout(std::process::Stdio::piped());
    let caller = command.spawn().unwrap();
    machine.approve_next();
    token_of(caller);
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.clone()), 0o700);
    assert_eq!(mode(home.join("codex-credential")), 0o700);
    assert_eq!(mode(home.join("auth.json")), 0o600);
}

#[test]
fn files_are_private_with_a_umask_of_zero() {
    let machine = Machine::new();
    let program = assert_cmd::cargo::cargo_bin!("codex-credential");
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().env("CODEX_HOME", machine.path("home"));
    shell.env("CODEX_CREDENTIAL_ISSUER", machine.issuer.url());
    shell.args(["-c", "umask 0; exec \"$0\" get --wait 60s"]).arg(program);
    let mut caller = shell
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    machine.approve_next();
    assert!(caller.wait().unwrap().success());
    // The renewal process removes the journal last, after the caller has its answer.
    eventually(|| !machine.path("home/codex-credential/sign-in/journal").exists());
    for folder in ["home", "home/codex-credential", "home/codex-credential/sign-in"] {
        let folder = machine.path(folder);
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{}", entry.path().display());
        }
    }
}

#[test]
fn renewal_makes_readable_files_private() {
    let (machine, _) = Machine::signed_in(-1);
    let folder = machine.path("codex-credential");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("journal"), "").unwrap();
    let open = [
        (folder.clone(), 0o777),
        (folder.join("journal"), 0o666),
        (machine.path("auth.json"), 0o666),
    ];
    for (path, mode) in open {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // While this lock is held, the answer is only in the journal.
    let write_lock = lock(&machine.path("auth.json.lock"));
    let caller = machine.start("get --format token --wait 60s");
    let is_recorded = |journal: String| journal.contains("access_token");
    eventually(|| fs::read_to_string(folder.join("journal")).is_ok_and(is_recorded));
    assert_eq!((mode(&folder), mode(&folder.join("journal"))), (0o700, 0o600));
    drop(write_lock);
    token_of(caller);
    assert_eq!(mode(&machine.path("auth.json")), 0o600);
}

#[test]
fn link_planted_as_the_journal_is_replaced_not_followed() {
    let (machine, _) = Machine::signed_in(-1);
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    fs::write(elsewhere.path(), "another's").unwrap();
    fs::create_dir(machine.path("codex-credential")).unwrap();
    symlink(elsewhere.path(), machine.own("journal")).unwrap();
    machine.token();
    assert_eq!(fs::read_to_string(elsewhere.path()).unwrap(), "another's");
}

#[test]
fn fifo_or_endless_file_as_login_fails_at_once() {
    let machine = Machine::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        machine.path("auth.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    machine.command("get --wait 1s").assert().code(1).stderr(contains("auth.json"));
    fs::remove_file(machine.path("auth.json")).unwrap();
    symlink("/dev/zero", machine.path("auth.json")).unwrap();
    machine.command("get --wait 1s").assert().code(1).stderr(contains("larger than 4 MiB"));
}

#[test]
fn unknown_form_of_oauth_provenance_is_ignored() {
    for provenance in [json!({}), json!("x"), json!({"issuer": 1})] {
        let (machine, tokens) = Machine::signed_in(3600);
        let mut document = machine.auth_json();
        document["tokens"]["oauth_provenance"] = provenance;
        machine.write_auth_json(&document);
        assert_eq!(machine.token(), tokens.access_token);
    }
}
