//! Files that lie where ours belong: of another owner, links, and files that block whoever opens them.

use crate::machine::{Machine, PATIENCE, eventually, files};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const USER: u32 = 12_345;
const GROUP: u32 = 12_346;

/// Only root can give files away.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn give_away(path: &Path, user: u32, group: u32) {
    chown(path, Some(user), Some(group)).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn owner(path: &Path) -> (u32, u32, u32) {
    let found = path.symlink_metadata().unwrap();
    (found.uid(), found.gid(), found.mode() & 0o777)
}

/// Copies of the programs that every user can run.
struct Programs(TempDir);

impl Programs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let front = assert_cmd::cargo::cargo_bin!("codex-credential");
        for name in ["codex-credential", "codex-credential-full"] {
            let mut copy = Command::new("cp");
            copy.arg(front.with_file_name(name)).arg(folder.path());
            assert!(copy.status().unwrap().success());
        }
        Self(folder)
    }

    /// Runs the program as [`USER`].
    fn run(&self, machine: &Machine, line: &str) -> Output {
        let mut command = Command::new(self.0.path().join("codex-credential"));
        command.args(line.split_whitespace()).env_clear().uid(USER).gid(USER);
        for (name, value) in machine.std_command("").get_envs() {
            command.env(name, value.unwrap());
        }
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }
}

#[test]
fn root_in_the_home_of_a_user_leaves_all_files_to_the_user() {
    if !is_root() {
        return;
    }
    for mode in [0o600, 0o640, 0o660] {
        let (machine, tokens) = Machine::signed_in(-1);
        give_away(machine.codex_home(), USER, USER);
        let login = machine.path("auth.json");
        give_away(&login, USER, GROUP);
        set_mode(&login, mode);
        assert_ne!(machine.token(), tokens.access_token);
        eventually(|| machine.renewers().is_empty());
        assert_eq!(owner(&login), (USER, GROUP, mode));
        for path in files(machine.codex_home()).iter().filter(|path| **path != login) {
            assert_eq!(owner(path), (USER, USER, 0o600), "{}", path.display());
            let folder = path.parent().unwrap();
            assert_eq!(owner(folder).0, USER, "{}", folder.display());
        }
        // The user goes on with the same login.
        machine.refuse(&machine.token());
        let programs = Programs::new();
        let output = programs.run(&machine, "get --format token --wait 20s");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(machine.issuer.counts().refreshes, 2);
    }
}

#[test]
fn sign_in_by_root_leaves_a_new_login_to_the_owner_of_the_folder() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    give_away(machine.codex_home(), USER, GROUP);
    let login = machine.start("get --format token --wait 60s");
    machine.approve_next();
    assert!(login.wait_with_output().unwrap().status.success());
    assert_eq!(owner(&machine.path("auth.json")), (USER, GROUP, 0o600));
}

#[test]
fn others_lose_access_to_a_login_that_is_replaced() {
    let (machine, _) = Machine::signed_in(-1);
    set_mode(&machine.path("auth.json"), 0o644);
    machine.token();
    assert_eq!(owner(&machine.path("auth.json")).2, 0o600);
}

#[test]
fn login_of_another_user_is_refused_before_the_request() {
    if !is_root() {
        return;
    }
    let (machine, _) = Machine::signed_in(-1);
    set_mode(machine.codex_home(), 0o777);
    set_mode(&machine.path("auth.json"), 0o644);
    let output = Programs::new().run(&machine, "get --wait 20s");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("auth.json") && text.contains("belongs to another user"), "{text}");
    assert_eq!(machine.issuer.counts().refreshes, 0);
}

#[test]
fn records_of_another_user_do_not_keep_a_good_token_back() {
    if !is_root() {
        return;
    }
    let (machine, tokens) = Machine::signed_in(3600);
    set_mode(machine.codex_home(), 0o755);
    set_mode(&machine.path("auth.json"), 0o644);
    fs::create_dir(machine.own("")).unwrap();
    for name in ["skew", "rejected", "failure"] {
        fs::write(machine.own(name), "0").unwrap();
        set_mode(&machine.own(name), 0o600);
    }
    set_mode(&machine.own(""), 0o700);
    let output = Programs::new().run(&machine, "get --format token");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout == format!("{}\n", tokens.access_token).as_bytes(), "{text}");
}

/// The files that this program opens for writing, as paths below CODEX_HOME.
const OWN_FILES: [&str; 6] = [
    "auth.lock",
    "auth.json.lock",
    "codex-credential/lock",
    "codex-credential/sign-in/lock",
    "codex-credential/spent-tokens",
    "state/codex-credential/audit.log",
];

fn plant(machine: &Machine, name: &str, plant: impl Fn(&Path)) -> PathBuf {
    let path = machine.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    plant(&path);
    path
}

/// Runs a renewal. It ends in time, whether it succeeds or names the file.
fn renew_with(machine: &Machine, name: &str) {
    let mut command = machine.command("get --format token --wait 10s");
    let output = command.timeout(PATIENCE).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let file = name.rsplit('/').next().unwrap();
    assert!(output.status.success() || text.contains(file), "{name}: {text}");
    eventually(|| machine.renewers().is_empty());
}

#[test]
fn planted_link_is_not_followed() {
    for name in OWN_FILES {
        let (machine, _) = Machine::signed_in(-1);
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("target");
        plant(&machine, name, |path| symlink(&target, path).unwrap());
        renew_with(&machine, name);
        assert!(!target.exists(), "{name}: created through a dangling link");
        fs::write(&target, "precious").unwrap();
        set_mode(&target, 0o644);
        renew_with(&machine, name);
        assert!(fs::read(&target).unwrap() == b"precious", "{name}");
        assert_eq!(owner(&target).2, 0o644, "{name}");
    }
}

#[test]
fn hard_link_is_not_changed() {
    for name in OWN_FILES {
        let (machine, _) = Machine::signed_in(-1);
        let target = machine.path("target");
        fs::write(&target, "precious").unwrap();
        set_mode(&target, 0o644);
        plant(&machine, name, |path| fs::hard_link(&target, path).unwrap());
        renew_with(&machine, name);
        assert!(fs::read(&target).unwrap() == b"precious", "{name}");
        assert_eq!(owner(&target).2, 0o644, "{name}");
    }
}

#[test]
fn pipe_or_folder_in_place_of_a_file_blocks_nothing() {
    let pipe = |path: &Path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let folder = |path: &Path| fs::create_dir(path).unwrap();
    for plant_it in [&pipe as &dyn Fn(&Path), &folder] {
        for name in OWN_FILES {
            let (machine, _) = Machine::signed_in(-1);
            plant(&machine, name, plant_it);
            renew_with(&machine, name);
        }
    }
}

#[test]
fn lock_files_that_others_can_open_become_private() {
    let (machine, _) = Machine::signed_in(-1);
    let locks = ["auth.lock", "auth.json.lock", "codex-credential/lock"];
    for name in locks {
        plant(&machine, name, |path| fs::write(path, "").unwrap());
        set_mode(&machine.path(name), 0o644);
    }
    set_mode(&machine.own(""), 0o755);
    machine.token();
    for name in locks {
        assert_eq!(owner(&machine.path(name)).2, 0o600, "{name}");
    }
    assert_eq!(owner(&machine.own("")).2, 0o700);
}

#[test]
fn caller_who_may_not_replace_the_login_leaves_nothing_in_its_folder() {
    if !is_root() {
        return;
    }
    let (machine, _) = Machine::signed_in(-1);
    for (path, mode) in
        [(machine.codex_home().to_owned(), 0o777), (machine.path("auth.json"), 0o666)]
    {
        give_away(&path, GROUP, GROUP);
        set_mode(&path, mode);
    }
    let before = files(machine.codex_home());
    let output = Programs::new().run(&machine, "get --wait 20s");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("belongs to another user"), "{text}");
    assert_eq!(files(machine.codex_home()), before);
    assert_eq!(machine.issuer.counts().refreshes, 0);
}

#[test]
fn root_follows_no_folder_link_of_another_user() {
    if !is_root() {
        return;
    }
    for name in ["codex-credential", "codex-credential/sign-in"] {
        let (machine, _) = Machine::signed_in(-1);
        let elsewhere = tempfile::tempdir().unwrap();
        set_mode(elsewhere.path(), 0o755);
        let link = plant(&machine, name, |path| symlink(elsewhere.path(), path).unwrap());
        std::os::unix::fs::lchown(&link, Some(USER), Some(USER)).unwrap();
        let output = machine.command("get --wait 20s").assert().code(1);
        let text = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(text.contains("symbolic link"), "{text}");
        assert_eq!(owner(elsewhere.path()).2, 0o755);
        assert!(files(elsewhere.path()).is_empty());
    }
}

/// The group bits of a file with an ACL are the most that the ACL allows, and not what the group may do.
#[cfg(target_os = "linux")]
#[test]
fn access_control_list_of_a_login_is_kept_and_gives_the_group_nothing() {
    use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
    const ACL: &str = "system.posix_acl_access";
    // As in acl(5): the owner rw, user 65534 r, the group nothing, at most r, others nothing.
    let entries =
        [(1, 6, u32::MAX), (2, 4, 65_534), (4, 0, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, access, id) in entries {
        acl.extend([u16::to_le_bytes(tag), u16::to_le_bytes(access)].concat());
        acl.extend(u32::to_le_bytes(id));
    }
    let (machine, _) = Machine::signed_in(-1);
    let path = machine.path("auth.json");
    // Some file systems have no ACLs.
    if lsetxattr(&path, ACL, &acl, XattrFlags::empty()).is_err() {
        return;
    }
    machine.token();
    let mut found = [0; 4096];
    let length = lgetxattr(&path, ACL, &mut found).unwrap();
    assert_eq!(found[..length], acl);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
