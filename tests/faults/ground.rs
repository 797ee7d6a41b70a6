//! A disk that is full, a folder that takes no writes, a mount, links and other people's files: the real thing, no
//! injected errors. What cannot be written is noticed before a refresh token is spent.

use crate::machine::{Machine, PATIENCE, eventually, files, token_of};
use crate::many::each;
use crate::report::report;
use crate::scene::Left;
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
/// Nobody, on every Linux.
const NOBODY: u32 = 65534;

/// The program, run by somebody who is not root, for whom modes mean nothing; from where everybody may run it.
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

/// Gives every file of `machine` to nobody.
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

/// Refused in words, without a request; and answered as soon as what was in the way is gone.
fn is_refused(machine: &Machine, output: &Output, words: &[&str]) {
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

fn none_lost(attack: &str, test: &'static str, tried: usize) {
    report(attack, test, vec![Ok(Left::AllWell); tried]);
}

pub fn read_only_folder() {
    let (machine, _) = Machine::signed_in(-1);
    hand_over(&machine);
    set_mode(machine.codex_home(), 0o555);
    is_refused(&machine, &as_nobody(&machine, GET), &["cannot", "Permission denied"]);
    // Nor is a person asked for a login that could not be kept.
    fs::remove_file(machine.path("auth.json")).unwrap();
    let output = as_nobody(&machine, "get --wait 5s");
    is_refused(&machine, &output, &["Permission denied"]);
    // What is there and good is answered all the same.
    set_mode(machine.codex_home(), 0o755);
    let tokens = machine.sign_in(7200);
    hand_over(&machine);
    set_mode(machine.codex_home(), 0o555);
    let output = as_nobody(&machine, GET);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), tokens.access_token);
    set_mode(machine.codex_home(), 0o755);
    none_lost("a folder that takes no writes", "ground::read_only_folder", 3);
}

pub fn read_only_file_system() {
    let (machine, _) = Machine::signed_in(-1);
    mount(&["--bind", machine.codex_home().to_str().unwrap()], machine.codex_home());
    mount(&["-o", "remount,bind,ro"], machine.codex_home());
    let output = machine.std_command(GET).output().unwrap();
    unmount(machine.codex_home());
    is_refused(&machine, &output, &["Read-only file system"]);
    is_answered(&machine, &machine.std_command(GET).output().unwrap());
    none_lost("a file system that takes no writes", "ground::read_only_file_system", 1);
}

/// A rename onto a mount fails with EBUSY, and a file that is written in place can be read half-written.
pub fn mounted_login() {
    let (machine, _) = Machine::signed_in(-1);
    let file = machine.path("auth.json");
    mount(&["--bind", file.to_str().unwrap()], &file);
    let refresh = machine.std_command(GET).output().unwrap();
    let login = machine.std_command("login --wait 5s").output().unwrap();
    unmount(&file);
    for output in [refresh, login] {
        is_refused(&machine, &output, &["auth.json", "mounted by itself", "mount the folder"]);
    }
    is_answered(&machine, &machine.std_command(GET).output().unwrap());
    none_lost("auth.json mounted by itself", "ground::mounted_login", 2);
}

/// A disk of 300 KB, with the folder of the login on it.
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
    // Full before: nothing is spent.
    let disk = SmallDisk::new();
    disk.0.sign_in(-1);
    disk.fill();
    let output = disk.0.std_command(GET).output().unwrap();
    is_refused(&disk.0, &output, &["No space left on device", "make room"]);
    disk.empty();
    is_answered(&disk.0, &disk.0.std_command(GET).output().unwrap());

    // Full while the server has the request: the answer has its place.
    let disk = SmallDisk::new();
    disk.0.sign_in(-1);
    disk.0.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(2)), 1);
    let caller = disk.0.start(GET);
    let is_there = |c: &issuer::Counts| c.in_flight == 1 && c.refreshes_granted == 1;
    assert!(disk.0.issuer.wait_until(is_there, PATIENCE));
    disk.fill();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
    disk.empty();
    is_answered(&disk.0, &disk.0.std_command(GET).output().unwrap());
    assert_eq!(disk.0.issuer.counts().refreshes, 1);
    none_lost("a disk that is full, or full before the answer comes", "ground::full_disk", 2);
}

/// Its owner is to write there afterwards.
pub fn another_persons_home() {
    let (machine, tokens) = Machine::signed_in(864_000);
    hand_over(&machine);
    assert_eq!(machine.token(), tokens.access_token);
    assert!(!machine.path("codex-credential").exists());
    let attack = "an answer to root in another's home, which leaves nothing there";
    none_lost(attack, "ground::another_persons_home", 1);
}

pub fn foreign_lock_files() {
    let mut tried = 0;
    for lock in ["auth.lock", "codex-credential/lock", "auth.json.lock"] {
        let (machine, _) = Machine::signed_in(-1);
        fs::create_dir(machine.path("codex-credential")).unwrap();
        hand_over(&machine);
        let lock = machine.path(lock);
        fs::write(&lock, "").unwrap();
        set_mode(&lock, 0o600);
        let output = as_nobody(&machine, GET);
        is_refused(&machine, &output, &[lock.to_str().unwrap(), "ls -ld"]);
        fs::remove_file(&lock).unwrap();
        is_answered(&machine, &as_nobody(&machine, GET));
        tried += 1;
    }
    none_lost("a lock file of another user's", "ground::foreign_lock_files", tried);
}

/// Each of our own files is somebody's link to a file that we may write.
pub fn planted_links() {
    let own = [
        "journal",
        "pending",
        "failure",
        "dead",
        "refused",
        "signed-in",
        "skew",
        "polled",
        "metadata",
        "pinned",
        "lock",
    ];
    each(&own, |name| {
        let (machine, _) = Machine::signed_in(-1);
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        fs::write(elsewhere.path(), "another's").unwrap();
        fs::create_dir(machine.path("codex-credential")).unwrap();
        symlink(elsewhere.path(), machine.own(name)).unwrap();
        // A renewal, and an answer by the login that is there then.
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
    none_lost("a link planted in our folder", "ground::planted_links", own.len());
}

/// What others can read is ours alone again after the next renewal.
pub fn open_to_others() {
    let (machine, _) = Machine::signed_in(-1);
    let folder = machine.path("codex-credential");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o777);
    set_mode(&machine.path("auth.json"), 0o666);
    for name in ["journal", "failure", "refused"] {
        fs::write(folder.join(name), "{}").unwrap();
        set_mode(&folder.join(name), 0o666);
    }
    // While the answer is in the journal, and when all is done.
    let lock = crate::machine::lock(&machine.path("auth.json.lock"));
    let caller = machine.start(GET);
    let is_noted = || fs::read_to_string(folder.join("journal")).unwrap().contains("access_token");
    eventually(is_noted);
    assert_eq!((mode(&folder), mode(&folder.join("journal"))), (0o700, 0o600));
    drop(lock);
    is_answered(&machine, &caller.wait_with_output().unwrap());
    eventually(|| machine.renewers().is_empty());
    assert_eq!(mode(&machine.path("auth.json")), 0o600);
    for path in files(&folder) {
        assert!(mode(&path) == 0o600 || path.ends_with("refused"), "{}", path.display());
    }
    none_lost("files and folders that others can read", "ground::open_to_others", 5);
}

/// Whether this is a root that may mount, in a mount namespace of its own, as `.ci/faults` makes one.
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
