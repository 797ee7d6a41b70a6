//! Full disks, read-only folders, mount points, links and other users' files, without injected errors. A storage that
//! cannot be written is detected before a refresh token is sent.

use crate::machine::{Machine, PATIENCE, eventually, files, token_of};
use crate::report::report;
use crate::scene::Outcome;
use crate::tries::each;
use issuer::{Endpoint, Fault};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

const GET: &str = "get --format token --wait 20s --interactive never";
/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Runs the program as `nobody`, because root ignores file modes, from a folder that every user can read.
fn as_nobody(machine: &Machine, line: &str) -> Output {
    static PROGRAM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let plain = machine.std_command(line);
    let (_, program) = PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let built = Path::new(plain.get_program());
        for name in ["codex-credential", "codex-credential-full"] {
            fs::copy(built.with_file_name(name), folder.path().join(name)).unwrap();
        }
        let program = folder.path().join("codex-credential");
        (folder, program)
    });
    let mut command = Command::new(program);
    command.args(plain.get_args()).env_clear().uid(NOBODY).gid(NOBODY).stdin(Stdio::null());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.output().unwrap()
}

/// Changes the owner of every file of `machine` to `nobody`.
fn hand_over(machine: &Machine) {
    let folders = [machine.codex_home().to_owned(), machine.path("codex-credential")];
    for path in files(machine.codex_home()).into_iter().chain(folders) {
        if path.exists() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn mount(arguments: &[&str], at: &Path) {
    let mounted = Command::new("mount").args(arguments).arg(at).output().unwrap();
    assert!(mounted.status.success(), "{}", stderr(&mounted));
}

fn unmount(at: &Path) {
    assert!(Command::new("umount").arg(at).status().unwrap().success());
}

/// Asserts exit code 1, a message with `words` and a hint, and no request to the server.
fn fails_without_request(machine: &Machine, output: &Output, words: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    assert!(said.contains("hint: "), "{said}");
    let counts = machine.issuer.counts();
    assert_eq!((counts.refreshes, counts.user_codes), (0, 0));
}

fn is_answered(machine: &Machine, output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
    let token = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(machine.issuer.is_live_access_token(&token));
    assert_eq!(machine.issuer.resent_after_answer(), 0);
}

fn nothing_lost(attack: &str, test: &'static str, tried: usize) {
    report(attack, test, vec![Ok(Outcome::NothingLost); tried]);
}

pub fn read_only_folder() {
    let (machine, _) = Machine::signed_in(-1);
    hand_over(&machine);
    set_mode(machine.codex_home(), 0o555);
    fails_without_request(&machine, &as_nobody(&machine, GET), &["cannot", "Permission denied"]);
    // No sign-in starts for a login that could not be stored.
    fs::remove_file(machine.path("auth.json")).unwrap();
    let output = as_nobody(&machine, "get --wait 5s");
    fails_without_request(&machine, &output, &["Permission denied"]);
    // A valid token is still answered.
    set_mode(machine.codex_home(), 0o755);
    let tokens = machine.sign_in(7200);
    hand_over(&machine);
    set_mode(machine.codex_home(), 0o555);
    let output = as_nobody(&machine, GET);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), tokens.access_token);
    set_mode(machine.codex_home(), 0o755);
    nothing_lost("a read-only folder", "filesystem::read_only_folder", 3);
}

pub fn read_only_file_system() {
    let (machine, _) = Machine::signed_in(-1);
    mount(&["--bind", machine.codex_home().to_str().unwrap()], machine.codex_home());
    mount(&["-o", "remount,bind,ro"], machine.codex_home());
    let output = machine.std_command(GET).output().unwrap();
    unmount(machine.codex_home());
    fails_without_request(&machine, &output, &["Read-only file system"]);
    is_answered(&machine, &machine.std_command(GET).output().unwrap());
    nothing_lost("a read-only file system", "filesystem::read_only_file_system", 1);
}

/// A rename onto a mount point fails with EBUSY, and a file that is written in place can be read incomplete.
pub fn login_is_a_mount_point() {
    let (machine, _) = Machine::signed_in(-1);
    let file = machine.path("auth.json");
    mount(&["--bind", file.to_str().unwrap()], &file);
    let refresh = machine.std_command(GET).output().unwrap();
    let login = machine.std_command("login --wait 5s").output().unwrap();
    unmount(&file);
    for output in [refresh, login] {
        fails_without_request(&machine, &output, &["auth.json", "mount point", "mount its folder"]);
    }
    is_answered(&machine, &machine.std_command(GET).output().unwrap());
    nothing_lost("auth.json is a mount point", "filesystem::login_is_a_mount_point", 2);
}

/// A disk of 300 KB with the login's folder.
struct SmallDisk(Machine);

impl SmallDisk {
    fn new() -> Self {
        let machine = Machine::new();
        mount(&["-t", "tmpfs", "-o", "size=300k,mode=700", "tmpfs"], machine.codex_home());
        Self(machine)
    }

    fn fill(&self) {
        let rest = fs::write(self.0.path("rest"), vec![0; 1024 * 1024]);
        assert_eq!(rest.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    fn empty(&self) {
        fs::remove_file(self.0.path("rest")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        eventually(|| self.0.renewers().is_empty());
        unmount(self.0.codex_home());
    }
}

pub fn full_disk() {
    // Full before the request: the token is not sent.
    let disk = SmallDisk::new();
    disk.0.sign_in(-1);
    disk.fill();
    let output = disk.0.std_command(GET).output().unwrap();
    fails_without_request(&disk.0, &output, &["No space left on device", "make room"]);
    disk.empty();
    is_answered(&disk.0, &disk.0.std_command(GET).output().unwrap());

    // Full during the request: the journal has reserved space for the answer.
    let disk = SmallDisk::new();
    disk.0.sign_in(-1);
    disk.0.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(2)), 1);
    let caller = disk.0.start(GET);
    let is_at_server = |c: &issuer::Counts| c.in_flight == 1 && c.refreshes_granted == 1;
    assert!(disk.0.issuer.wait_until(is_at_server, PATIENCE));
    disk.fill();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
    disk.empty();
    is_answered(&disk.0, &disk.0.std_command(GET).output().unwrap());
    assert_eq!(disk.0.issuer.counts().refreshes, 1);
    nothing_lost(
        "a disk that is full before the request, or before the answer",
        "filesystem::full_disk",
        2,
    );
}

/// A file that root creates would lock out the owner of the home.
pub fn root_in_another_users_home() {
    let (machine, tokens) = Machine::signed_in(864_000);
    hand_over(&machine);
    assert_eq!(machine.token(), tokens.access_token);
    assert!(!machine.path("codex-credential").exists());
    let attack = "root runs a warm get in another user's home: no file is created";
    nothing_lost(attack, "filesystem::root_in_another_users_home", 1);
}

pub fn lock_file_of_another_user() {
    let mut tried = 0;
    for lock in ["auth.lock", "codex-credential/lock", "auth.json.lock"] {
        let (machine, _) = Machine::signed_in(-1);
        fs::create_dir(machine.path("codex-credential")).unwrap();
        hand_over(&machine);
        let lock = machine.path(lock);
        fs::write(&lock, "").unwrap();
        set_mode(&lock, 0o600);
        let output = as_nobody(&machine, GET);
        fails_without_request(&machine, &output, &[lock.to_str().unwrap(), "ls -ld"]);
        fs::remove_file(&lock).unwrap();
        is_answered(&machine, &as_nobody(&machine, GET));
        tried += 1;
    }
    nothing_lost(
        "a lock file that belongs to another user",
        "filesystem::lock_file_of_another_user",
        tried,
    );
}

/// Each file of the login directory is a link to a file that this user may write.
pub fn links_planted_as_our_files() {
    let own = [
        "journal",
        "failure",
        "invalid-token",
        "rejected",
        "skew",
        "pinned",
        "lock",
        "sign-in/journal",
        "sign-in/pending",
        "sign-in/failure",
        "sign-in/signed-in",
        "sign-in/polled",
        "sign-in/lock",
    ];
    each(&own, |name| {
        let (machine, _) = Machine::signed_in(-1);
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        fs::write(elsewhere.path(), "another's").unwrap();
        fs::create_dir_all(machine.own("sign-in")).unwrap();
        symlink(elsewhere.path(), machine.own(name)).unwrap();
        if name.ends_with("lock") {
            // A lock of a file elsewhere would exclude nobody here.
            let line = if *name == "lock" { GET } else { "login --wait 5s" };
            let output = machine.std_command(line).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{name}: {}", stderr(&output));
            assert!(stderr(&output).contains("symbolic link"), "{name}: {}", stderr(&output));
            fs::remove_file(machine.own(name)).unwrap();
        }
        // A renewal, then a warm get.
        for _ in 0..2 {
            is_answered(&machine, &machine.std_command(GET).output().unwrap());
        }
        let logout = machine.std_command("logout").output().unwrap();
        assert!(logout.status.success(), "{}", stderr(&logout));
        let login = machine.start("get --format token --wait 20s");
        machine.approve_next();
        token_of(login);
        assert_eq!(fs::read_to_string(elsewhere.path()).unwrap(), "another's", "{name}");
    });
    nothing_lost(
        "a symbolic link in place of each file of the login directory",
        "filesystem::links_planted_as_our_files",
        own.len(),
    );
}

/// The next renewal makes files private that other users could read.
pub fn files_readable_by_others() {
    let (machine, _) = Machine::signed_in(-1);
    let folder = machine.path("codex-credential");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o777);
    set_mode(&machine.path("auth.json"), 0o666);
    for name in ["journal", "failure", "rejected"] {
        fs::write(folder.join(name), "{}").unwrap();
        set_mode(&folder.join(name), 0o666);
    }
    // The journal must be private before the login is written.
    let lock = crate::machine::lock(&machine.path("auth.json.lock"));
    let caller = machine.start(GET);
    let is_recorded =
        || fs::read_to_string(folder.join("journal")).unwrap().contains("access_token");
    eventually(is_recorded);
    assert_eq!((mode(&folder), mode(&folder.join("journal"))), (0o700, 0o600));
    drop(lock);
    is_answered(&machine, &caller.wait_with_output().unwrap());
    eventually(|| machine.renewers().is_empty());
    assert_eq!(mode(&machine.path("auth.json")), 0o600);
    for path in files(&folder) {
        assert!(mode(&path) == 0o600 || path.ends_with("rejected"), "{}", path.display());
    }
    nothing_lost(
        "files and folders that others can read",
        "filesystem::files_readable_by_others",
        5,
    );
}

/// Whether this process may mount: `.ci/faults` runs it as root in its own mount namespace.
pub fn may_mount() -> bool {
    let at = tempfile::tempdir().unwrap();
    let tmpfs = ["-t", "tmpfs", "tmpfs"];
    let mounted = Command::new("mount").args(tmpfs).arg(at.path()).output();
    let may = mounted.is_ok_and(|output| output.status.success());
    if may {
        unmount(at.path());
    }
    may
}
